"""GitLab's own API, at another host than its registry: which repositories groups and
projects have, and the tags of one where the registry does not list them itself.

It is signed in to by a token in the header `PRIVATE-TOKEN`, which REST and GraphQL take
(GitLab's doc/api/rest/authentication.md; lib/gitlab/auth/auth_finders.rb).
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Generator
from typing import Final, Literal, TypeAlias
from urllib.parse import quote

import httpx
from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain import limits
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import AuthError, NotFound
from weighbridge.registry.exchange.paced_exchange import PacedExchange
from weighbridge.registry.exchange.paging import ListingPage, next_url, unusable_page
from weighbridge.registry.exchange.vendor_api import PAGE, VendorAPI
from weighbridge.registry.kinds.gitlab.gitlab_pages import (
    GRAPH_TAGS,
    QueryRefused,
    RepositoryPlace,
    parse_graph_tags,
    parse_repositories,
    parse_rest_tags,
)

GITLAB_URL: Final = "https://gitlab.com"
PAGE_LENGTH: Final = 100
"""The most that REST gives a page."""
_PREFIXES_KEPT: Final = 10_000
_NUMBER: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_GRAPH: Final = "/api/graphql"
_GRAPH_ID: Final = "gid://gitlab/ContainerRepository/"
_QUERY: Final = PAGE | {"follow": False, "handles": frozenset((404,))}

Whose: TypeAlias = Literal["groups", "projects"]


class Listed(Struct, frozen=True):
    """A group or a project whose repositories are listed, by its path."""

    whose: Whose
    path: str


class PrivateToken(httpx.Auth):
    """Shows the token with every request. A redirect to another address does not."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["PRIVATE-TOKEN"] = self._token.reveal()
        yield request


class GitLabAPI(VendorAPI):
    """Repositories of groups and projects, and tags by REST. A token that was refused
    is not shown again by this client.

    has_graph: whether GraphQL is there, as far as anybody knows
    """

    def __init__(
        self, http: httpx.AsyncClient, exchange: PacedExchange, url: str
    ) -> None:
        super().__init__(http, exchange, url)
        self.has_graph = True
        self._places: dict[str, RepositoryPlace] = {}
        self._no_projects: set[str] = set()
        self._finding = asyncio.Lock()
        self._refused: AuthError | None = None

    def repositories(self, listed: Listed) -> AsyncIterator[ListingPage]:
        """Those that we may see. Raises NotFound for a group or project that is not
        there or not shown to us, which GitLab does not tell apart."""

        def parse(raw: bytes) -> ListingPage:
            page, places = parse_repositories(raw, listed.path)
            self._places.update(places)
            return page

        path = quote(listed.path, safe="")
        first = f"{self._rest}/{listed.whose}/{path}/registry/repositories"
        return self.listing(
            f"{first}?per_page={PAGE_LENGTH}&page=1",
            parse,
            next_page,
            most=limits.REPOSITORIES_PER_REGISTRY,
            is_exact=True,
        )

    async def find_place(self, repository: str) -> RepositoryPlace | None:
        """Where the API has it; None where it shows no project with it.

        Which part of the name is the project is told by asking, the shortest first:
        two requests for most that no listing has brought.
        """
        async with self._finding:  # those who wait learn it from the first
            parts = repository.split("/")
            for end in range(2, len(parts) + 1):
                if (found := self._places.get(repository)) is not None:
                    return found
                project = "/".join(parts[:end])
                if project not in self._no_projects and await self._read(project):
                    break
        return self._places.get(repository)

    def forget(self, repository: str) -> None:
        """The API has it no more where it was found."""
        self._places.pop(repository, None)

    def graph_tags(self, place: RepositoryPlace) -> AsyncIterator[ListingPage]:
        """Tags with digests, twenty a page. Raises QueryRefused without a page where
        GraphQL is not there, or not as we know it."""
        number = f"{_GRAPH_ID}{place.repository_id}"
        return self.listing(
            str(httpx.URL(f"{self.url}{_GRAPH}", params={"id": number})),
            parse_graph_tags,
            _next_by_cursor,
            most=limits.TAGS_PER_REPOSITORY,
            is_exact=True,
        )

    def rest_tags(self, place: RepositoryPlace) -> AsyncIterator[ListingPage]:
        """Names of tags, a hundred a page."""
        path = f"{place.project_id}/registry/repositories/{place.repository_id}/tags"
        return self.listing(
            f"{self._rest}/projects/{path}?per_page={PAGE_LENGTH}",
            parse_rest_tags,
            next_page,
            most=limits.TAGS_PER_REPOSITORY,
            is_exact=True,
        )

    async def send(self, url: str) -> httpx.Response:
        if self._refused is not None:
            raise self._refused
        asked = httpx.URL(url)
        if not str(asked).startswith(f"{self.url}{_GRAPH}"):
            # Where a redirect leads, nobody knows us: a list is shorter there.
            return await self.http.get(url, extensions=PAGE | {"follow": False})
        sent = {"query": GRAPH_TAGS, "variables": dict(asked.params)}
        answer = await self.http.post(
            asked.copy_with(query=None), json=sent, extensions=_QUERY
        )
        if answer.status_code == 404:
            raise QueryRefused("this GitLab has no GraphQL")
        return answer

    async def ask(self, url: str) -> httpx.Response:
        try:
            return await super().ask(url)
        except AuthError as error:
            if error.code == "unauthorized":
                self._refused = error
            raise

    def read(
        self, answer: httpx.Response, parse: Callable[[bytes], ListingPage]
    ) -> ListingPage:
        """How many entries there are in all, REST says beside the page."""
        page = super().read(answer, parse)
        total = answer.headers.get("x-total", "")
        is_count = page.total is None and _NUMBER.fullmatch(total) is not None
        return replace(page, total=int(total)) if is_count else page

    @property
    def _rest(self) -> str:
        return f"{self.url}/api/v4"

    async def _read(self, project: str) -> bool:
        """Whether it is a project; what it has is known then."""
        try:
            async for _ in self.repositories(Listed("projects", project)):
                pass
        except NotFound:
            if len(self._no_projects) >= _PREFIXES_KEPT:
                self._no_projects.clear()
            self._no_projects.add(project)
            return False
        return True


def next_page(
    current_url: str, answer: httpx.Response, page: ListingPage
) -> str | None:
    """The page after this one: by the number that `X-Next-Page` says, "" on the last,
    and else by `Link`, where pages have no numbers. Raises ListingError(link_refused),
    DocumentError.
    """
    current, number = httpx.URL(current_url), answer.headers.get("x-next-page")
    if number is not None:
        if number and not _NUMBER.fullmatch(number):
            raise unusable_page("GitLab's listing", "its next page has no number")
        return str(current.copy_set_param("page", number)) if number else None
    following = next_url(current, answer.headers.get_list("link"))
    return None if following is None else str(following)


def _next_by_cursor(
    current_url: str, answer: httpx.Response, page: ListingPage
) -> str | None:
    if page.next is None:
        return None
    return str(httpx.URL(current_url).copy_set_param("after", page.next))
