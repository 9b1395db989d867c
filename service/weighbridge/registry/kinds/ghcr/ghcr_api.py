"""The listings of GitHub's API: packages of an organisation or user, and the versions
of a package (docs.github.com/rest/packages/packages; its OpenAPI description has the
shapes as `package` and `package-version`).

A version is one manifest: of a tag with images of two platforms and their attestations
it lists five, and only the one that the tag names has the tag. `name` is its digest. No
size is told and no media type.
"""

from collections.abc import AsyncIterator, Generator, Mapping
from typing import Final, Literal, TypeAlias
from urllib.parse import quote

import httpx
from msgspec.structs import replace

from weighbridge.domain import limits
from weighbridge.domain.image.reference import is_repository_name, is_tag
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import AuthError, ListingError
from weighbridge.registry.exchange.paced_exchange import (
    PacedExchange,
    answer_of,
    question_of,
)
from weighbridge.registry.exchange.paging import (
    ListingPage,
    linked,
    same_origin,
    unusable_page,
)
from weighbridge.registry.exchange.registry_request import RefusalWords
from weighbridge.registry.exchange.vendor_api import (
    PAGE,
    VendorAPI,
    read_digest,
    read_time,
)
from weighbridge.registry.login.credentials import Credential, bearer

_LISTING: Final = "GitHub's listing"
PAGE_LENGTH: Final = 100
"""The most that the API gives."""
MOST_PAGES: Final = 100
"""`page` times `per_page` may not be more than 10,000 (response 400 of "List packages
for an organization"). A listing with so many pages may have lost its end."""
RIGHTS_HINT: Final = (
    "`auth` must have a classic personal access token with read:packages (fine-grained"
    " tokens cannot list packages), of a user who may read this package; where the"
    " organisation has single sign-on, authorise the token for it"
)
GITHUB_WORDS: Final = RefusalWords(
    # docs.github.com, "Rate limits for the REST API": 403 or 429; without a header
    # that says how long, a minute at least.
    limits=("rate limit", "abuse detection"),
    limit_wait_s=60.0,
    sign_in=RIGHTS_HINT,
    not_found=f"GitHub answers the same for what may not be seen: {RIGHTS_HINT}",
    told_limit="x-ratelimit",
)

OwnerKind: TypeAlias = Literal["orgs", "users"]
"""As the API's paths call organisations and users."""


def parse_packages(raw: bytes, owner: str) -> ListingPage:
    """A page of an owner's packages. Entries of another owner or type are counted as
    invalid. owner: in lower case. Raises DocumentError(invalid_listing, ...)."""
    names = [_package(entry, owner) for entry in _entries(raw)]
    good = tuple(dict.fromkeys(name for name in names if name is not None))
    return ListingPage(good, names.count(None))


def parse_versions(raw: bytes) -> ListingPage:
    """A page of a package's versions, of which most may have no tag: `key` is the first
    version. Raises DocumentError(invalid_listing, ...).

    A version whose tags cannot be read counts as invalid: they may be any. A tag that
    two versions claim has no digest here, so that the registry is asked.
    """
    entries = _entries(raw)
    tags: dict[str, TagSeen] = {}
    invalid = 0
    for entry in entries:
        found, bad = _tags(entry)
        invalid += bad
        for tag in found:
            other = tags.setdefault(tag.name, tag)
            if other.digest != tag.digest:
                tags[tag.name] = replace(other, digest=None)
    first = entries[0] if entries else None
    key = read_digest(first.get("name")) if isinstance(first, dict) else None
    return ListingPage(tuple(tags), invalid, tuple(tags.values()), key=key or "")


def _package(entry: object, owner: str) -> str | None:
    if not isinstance(entry, dict) or entry.get("package_type") != "container":
        return None
    of, name = entry.get("owner"), entry.get("name")
    login = of.get("login") if isinstance(of, dict) else owner
    if not isinstance(login, str) or login.lower() != owner:
        return None
    repository = f"{owner}/{name}"
    is_good = isinstance(name, str) and is_repository_name(repository)
    return repository if is_good else None


def _tags(entry: object) -> tuple[list[TagSeen], int]:
    """The tags of one version, and how many entries are none."""
    names = _tag_names(entry)
    if names is None or not isinstance(entry, dict):
        return [], 1
    digest = read_digest(entry.get("name"))
    # `updated_at` moves as well when a tag is taken away from this version.
    pushed_at = read_time(entry.get("created_at"))
    good = [str(name) for name in names if is_tag(name)]
    return [TagSeen(name, digest, pushed_at) for name in good], len(names) - len(good)


def _tag_names(entry: object) -> list[object] | None:
    """None where they cannot be read; null is no list."""
    for key in ("metadata", "container", "tags"):
        entry = entry.get(key) if isinstance(entry, dict) else None
    return entry if isinstance(entry, list) else None


def _entries(raw: bytes) -> list[object]:
    value = parse_json(raw)
    if not isinstance(value, list):
        raise unusable_page(_LISTING, "it is not a JSON list")
    return value


class ShownToken(httpx.Auth):
    """The token with each request; none where there is none. Redirects to another
    origin are followed below this, without it."""

    def __init__(self, credential: Credential | None) -> None:
        self._credential = credential

    def auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        if self._credential is not None and self._credential.api_password is not None:
            shown = bearer(self._credential.api_password).reveal()
            request.headers["Authorization"] = shown
        yield request


HEADERS: Final[Mapping[str, str]] = {
    "Accept": "application/vnd.github+json",
    "X-GitHub-Api-Version": "2022-11-28",
}
_BAD_REQUEST: Final = frozenset((400,))


class BeyondPages(Exception):
    """A package has more versions than the API lists."""


class PackageAPI(VendorAPI):
    """Pages of a hundred, the newest first.

    root: where the API's paths begin, without a slash at its end
    """

    def __init__(
        self, http: httpx.AsyncClient, exchange: PacedExchange, root: str
    ) -> None:
        super().__init__(http, exchange, root)
        http.headers.update(HEADERS)

    async def packages(self, kind: OwnerKind, owner: str) -> AsyncIterator[ListingPage]:
        """The container packages of one owner that the token may see, as repositories.
        Raises ListingError(empty_listing) where there is none: an owner without any is
        hardly named in a configuration, and one that shows none looks the same."""
        first_url = (
            f"{self.url}/{kind}/{owner}/packages"
            f"?package_type=container&per_page={PAGE_LENGTH}&page=1"
        )
        entries = 0
        async for page in self.listing(
            first_url,
            lambda raw: parse_packages(raw, owner),
            _next_page,
            most=limits.REPOSITORIES_PER_REGISTRY,
            is_exact=False,
        ):
            entries += page.entries
            yield page
        if not entries:
            raise ListingError(
                f"GitHub lists no container package of {owner}",
                code="empty_listing",
                hint=f"check `organizations` and `users`; {RIGHTS_HINT}",
            )

    async def versions(
        self, kind: OwnerKind, repository: str
    ) -> AsyncIterator[ListingPage]:
        """The versions of one package, with their tags. Raises NotFound too, and
        BeyondPages before the first page.

        The first page says how many there are; then they are read from the last one to
        it. What is pushed or deleted meanwhile moves entries between pages, and one of
        them may be on none that was read: its tags are not deleted before the registry
        was asked for them (`TagPage.tags_may_move`).
        """
        owner, _, name = repository.partition("/")
        url = (
            f"{self.url}/{kind}/{owner}/packages/container/{quote(name, safe='')}"
            f"/versions?state=active&per_page={PAGE_LENGTH}&page="
        )
        answer = await self.ask(f"{url}1")
        first = self.read(answer, parse_versions)
        last = _last_page(f"{url}1", answer)
        if last >= MOST_PAGES:
            raise BeyondPages
        if not (first.key or first.entries):
            raise ListingError(
                "GitHub lists no version of this package, and each package has one",
                code="empty_listing",
                hint="the next crawl reads it again",
                retryable=True,
            )
        if last > 1:
            async for page in self.listing(
                f"{url}{last}",
                parse_versions,
                _page_before,
                most=limits.TAGS_PER_REPOSITORY,
                is_exact=True,
            ):
                yield page
        yield first

    async def send(self, url: str) -> httpx.Response:
        extensions = PAGE | {"handles": _BAD_REQUEST}
        return await self.http.get(url, extensions=extensions)

    async def ask(self, url: str) -> httpx.Response:
        """A page. Raises what is raised for any; AuthError(denied) where the token is
        of a kind that lists no packages, or must be authorised for an organisation."""
        response = await super().ask(url)
        told = ""
        if response.status_code == 400:
            # What is asked is right; so it refuses tokens of apps and of Actions
            # (github.com/cli/cli/issues/9606).
            question, answer = question_of(response.request), answer_of(response)
            told = self.exchange.refusal(question, answer).message
        elif "partial-results" in response.headers.get("x-github-sso", ""):
            # docs.github.com, "Authenticating to the REST API": so much is left out.
            told = "GitHub leaves out what needs single sign-on"
        if told:
            error = AuthError(told, code="denied", hint=RIGHTS_HINT)
            self.counts.note_failure("bulk", error)
            raise error
        return response


def _next_page(url: str, answer: httpx.Response, page: ListingPage) -> str | None:
    """By the `Link` header. Of what it names only the number of the page is new: the
    path is that of `/organizations/ID`, and another host is refused."""
    target = linked(answer.headers.get_list("link"), "next")
    if target is None:
        return None
    current = httpx.URL(url)
    same_origin(current, target)
    return str(current.copy_set_param("page", _number(current) + 1))


def _page_before(url: str, answer: httpx.Response, page: ListingPage) -> str | None:
    """Down to the second: the first was read before all others."""
    current = httpx.URL(url)
    number = _number(current)
    return None if number <= 2 else str(current.copy_set_param("page", number - 1))


def _last_page(url: str, answer: httpx.Response) -> int:
    """The number of the last page, which the first one names. Raises
    ListingError(link_refused)."""
    links = answer.headers.get_list("link")
    if linked(links, "next") is None:
        return 1
    current = httpx.URL(url)
    target = linked(links, "last")
    number = 0 if target is None else _number(same_origin(current, target))
    if number < 2:
        raise ListingError(
            "the listing has more pages and does not say how many",
            code="link_refused",
            hint="a proxy before GitHub's API may have changed its Link header",
        )
    return number


def _number(url: httpx.URL) -> int:
    """Of the page; 0 where it cannot be read."""
    text = url.params.get("page", "")
    is_number = text.isascii() and text.isdigit() and len(text) <= 9
    return int(text) if is_number else 0
