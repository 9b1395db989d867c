"""The listings of Docker Hub's own API: what its registry does not tell."""

from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from typing import Final, TypeVar

import httpx

from weighbridge.domain import limits
from weighbridge.errors import AuthError, DocumentError, ListingError, TransportError
from weighbridge.registry.exchange.paced_exchange import PacedExchange
from weighbridge.registry.exchange.paced_transport import answer_of, question_of
from weighbridge.registry.exchange.paging import pages, same_origin
from weighbridge.registry.kinds.dockerhub.hub_listings import (
    HubPage,
    HubRepositories,
    HubTags,
    parse_hub_repositories,
    parse_hub_tags,
)

HUB_API_URL: Final = "https://hub.docker.com"
PAGE_LENGTH: Final = 100
"""The most that the API gives; more is refused."""

_PAGE: Final[dict[str, object]] = {
    "operation": "bulk",
    "body_limit": limits.PAGE_BODY_BYTES,
    "may_repeat": True,
    "follow": True,
}

PageT = TypeVar("PageT", bound=HubPage)


class HubAPI:
    """Pages of a hundred, asked through a client of the API's own: it has another
    host, another limit and other tokens than the registry.

    http:     over a `PacedTransport` of `exchange`
    """

    def __init__(
        self, http: httpx.AsyncClient, exchange: PacedExchange, url: str
    ) -> None:
        self._http = http
        self._exchange = exchange
        self._url = url
        self.counts = exchange.counts

    async def repositories(self, namespace: str) -> AsyncIterator[HubRepositories]:
        """The repositories of one namespace that we may see."""
        listing = self._listing(
            f"{namespace}/repositories",
            limits.REPOSITORIES_PER_REGISTRY,
            "too_large",
            lambda raw: parse_hub_repositories(raw, namespace),
            # It may count what this account does not see.
            is_exact=False,
        )
        async for page in listing:
            yield page

    async def tags(self, repository: str) -> AsyncIterator[HubTags]:
        """The tags of one repository, with what the API knows of each."""
        namespace, _, name = repository.partition("/")
        listing = self._listing(
            f"{namespace}/repositories/{name}/tags",
            limits.TAGS_PER_REPOSITORY,
            "too_many_tags",
            parse_hub_tags,
            # A tag that is not listed is taken for gone.
            is_exact=True,
        )
        async for page in listing:
            yield page

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _listing(
        self,
        path: str,
        most: int,
        too_many: str,
        parse: Callable[[bytes], PageT],
        *,
        is_exact: bool,
    ) -> AsyncIterator[PageT]:
        first_url = f"{self._url}/v2/namespaces/{path}?page=1&page_size={PAGE_LENGTH}"
        seen = _Seen()
        reading = pages(self._ask, first_url, lambda a: self._read(a, parse), _next_url)
        async for page in reading:
            seen.add(page)
            if seen.entries > most:
                raise ListingError(
                    f"the listing has more than {most} names", code=too_many
                )
            yield page
        seen.check(is_exact=is_exact)

    async def _ask(self, url: str) -> httpx.Response:
        try:
            response = await self._http.get(url, extensions=_PAGE)
            if response.status_code == 401:
                question = question_of(response.request)
                raise self._exchange.refusal(question, answer_of(response))
        except AuthError as error:
            self.counts.note_failure("bulk", error)
            raise
        except TransportError as exc:
            if exc.code != "too_large":
                raise
            raise ListingError(exc.message, code="too_large") from exc
        return response

    def _read(self, answer: httpx.Response, parse: Callable[[bytes], PageT]) -> PageT:
        try:
            return parse(answer.content)
        except DocumentError as error:
            self.counts.note_failure("bulk", error)
            raise


class _Seen:
    """What a listing has brought, against what it says that there is.

    Pages are numbered, and the newest come first. While they are read, a deletion
    moves later entries up, and one of them from a page that comes to one that has been
    read; a push takes its tag from a page that comes to the first one. Both look as if
    an entry were gone.
    """

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._invalid = 0
        self._is_repeated = False
        self._totals: list[int] = []

    @property
    def entries(self) -> int:
        return len(self._names) + self._invalid

    def add(self, page: HubPage) -> None:
        self._is_repeated = self._is_repeated or not self._names.isdisjoint(page.names)
        self._names.update(page.names)
        self._invalid += page.invalid
        if page.total is not None:
            self._totals.append(page.total)

    def check(self, *, is_exact: bool) -> None:
        """Raises ListingError(listing_changed) where an entry may have been missed.

        is_exact: one that is missing matters even if nothing has moved meanwhile
        """
        has_moved = self._is_repeated or len(set(self._totals)) > 1
        if self.entries < self._wanted and (has_moved or is_exact):
            raise ListingError(
                "the listing changed while it was read: it brought"
                f" {self.entries} of {self._wanted} entries",
                code="listing_changed",
                hint="the next crawl reads it again",
                retryable=True,
            )

    @property
    def _wanted(self) -> int:
        """Entries that it must have brought. What was deleted may have been read
        before, so that it stands in for another that was missed."""
        if not self._totals:
            return self.entries + self._is_repeated
        has_fallen = any(after < before for before, after in pairwise(self._totals))
        return max(self._totals) if has_fallen else self._totals[0]


def _next_url(current_url: str, answer: httpx.Response, page: HubPage) -> str | None:
    """The page after this one, if it says that there is one.

    Its link is only looked at: who moves it to another host is refused, and the
    number of the page is all that it could tell.
    """
    if page.next is None:
        return None
    current = httpx.URL(current_url)
    same_origin(current, page.next)
    return str(current.copy_set_param("page", int(current.params["page"]) + 1))
