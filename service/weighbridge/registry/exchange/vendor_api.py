"""A vendor's own API beside `/v2`: where it is, and how its listings are read to their
end.

What a vendor's pages look like is in the folder of its kind; here is what they have in
common. A listing that changed while it was read, or that breaks off, is an error: an
entry that was missed would be taken for deleted.
"""

import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

import httpx
from msgspec.structs import replace

from weighbridge.domain import limits
from weighbridge.domain.image.digest import Digest, is_digest
from weighbridge.domain.limits import DESCRIPTOR_BYTES
from weighbridge.errors import AuthError, DocumentError, ListingError, TransportError
from weighbridge.net.guard.addresses import reach_of_host
from weighbridge.registry.exchange.endpoint import Endpoint, KindAccess
from weighbridge.registry.exchange.paced_exchange import (
    PacedExchange,
    answer_of,
    question_of,
)
from weighbridge.registry.exchange.paging import (
    FindNext,
    ListingPage,
    pages,
    same_origin,
)


def api_endpoint(
    endpoint: Endpoint,
    api_url: str,
    access: KindAccess,
    most_per_second: float | None = None,
) -> Endpoint:
    """The endpoint of an API on another host than the registry, with the limits of its
    own. An address in the configuration says itself how near it is; a name is as near
    as the registry.

    most_per_second: requests that its operator allows; None: nothing is known of that
    """
    reach = reach_of_host(httpx.URL(api_url).host)
    ceiling = endpoint.ceiling if reach is None else reach
    gate = access.gate_of("api", most_per_second)
    return replace(endpoint, url=api_url, ceiling=ceiling, gate=gate)


PAGE: Final[dict[str, object]] = {
    "operation": "bulk",
    "body_limit": limits.PAGE_BODY_BYTES,
    "may_repeat": True,
    "follow": True,
}
"""`extensions` of a request for a page of a listing."""


class VendorAPI:
    """Listings that are asked through a client of the API's own: it may have another
    host, another limit and other tokens than the registry.

    http: over a `PacedTransport` of `exchange`
    url:  the API's, without a slash at its end
    """

    def __init__(
        self, http: httpx.AsyncClient, exchange: PacedExchange, url: str
    ) -> None:
        self.http = http
        self.exchange = exchange
        self.url = url
        self.counts = exchange.counts

    async def aclose(self) -> None:
        await self.http.aclose()

    async def listing(
        self,
        first_url: str,
        parse: Callable[[bytes], ListingPage],
        find_next: FindNext[httpx.Response],
        *,
        most: int,
        is_exact: bool,
    ) -> AsyncIterator[ListingPage]:
        """All pages. Raises ListingError(listing_changed) where an entry may have been
        missed.

        most:     entries, well-formed or not; more is ListingError(too_large), or
                  too_many_tags where so many are what a repository may have
        is_exact: whether one that is missing matters even if nothing has moved
        """
        seen = _Seen()
        async for page in pages(
            self.ask, first_url, lambda answer: self.read(answer, parse), find_next
        ):
            seen.add(page)
            if seen.entries > most:
                is_tags = most == limits.TAGS_PER_REPOSITORY
                raise ListingError(
                    f"the listing has more than {most} names",
                    code="too_many_tags" if is_tags else "too_large",
                )
            yield page
        seen.check(is_exact=is_exact)

    async def send(self, url: str) -> httpx.Response:
        """Ask for a page. Where an API has pages by POST, `url` is whatever tells them
        apart. Raises what `PacedExchange.ask` raises."""
        return await self.http.get(url, extensions=PAGE)

    async def ask(self, url: str) -> httpx.Response:
        """A page. Raises what `send` raises; ListingError(too_large)."""
        try:
            response = await self.send(url)
            if response.status_code == 401:
                question = question_of(response.request)
                raise self.exchange.refusal(question, answer_of(response))
        except AuthError as error:
            self.counts.note_failure("bulk", error)
            raise
        except TransportError as exc:
            if exc.code != "too_large":
                raise
            raise ListingError(exc.message, code="too_large") from exc
        return response

    def read(
        self, answer: httpx.Response, parse: Callable[[bytes], ListingPage]
    ) -> ListingPage:
        """Raises DocumentError, which is counted."""
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

    def add(self, page: ListingPage) -> None:
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


def next_by_number(
    current_url: str, answer: httpx.Response, page: ListingPage
) -> str | None:
    """The page after this one (`page=` in its address), if it says that there is one.

    Its link is only looked at: who moves it to another host is refused, and the
    number of the page is all that it could tell.
    """
    if page.next is None:
        return None
    current = httpx.URL(current_url)
    same_origin(current, page.next)
    return str(current.copy_set_param("page", int(current.params["page"]) + 1))


# RFC 3339 as Go writes it, years that mean "never" left out.
_TIME: Final = re.compile(
    r"(?:19[7-9]|[2-9]\d\d)\d-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?"
    r"(?:Z|[+-]\d{2}:\d{2})",
    re.ASCII,
)


def read_size(value: object) -> int | None:
    """Compressed bytes that an API names; None where it names none, or 0."""
    return value if type(value) is int and 0 < value <= DESCRIPTOR_BYTES else None


def read_digest(value: object) -> Digest | None:
    """None for what is none."""
    return Digest(value) if isinstance(value, str) and is_digest(value) else None


def read_time(value: object) -> datetime | None:
    """RFC 3339, in UTC; None for what is none, or a year that means "never"."""
    if not isinstance(value, str) or _TIME.fullmatch(value) is None:
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
