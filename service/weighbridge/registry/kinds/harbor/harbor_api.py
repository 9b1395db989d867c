"""The listings of Harbor's API 2.0, in the shapes of goharbor/harbor,
api/v2.0/swagger.yaml, and whether its sign-in is good.

Harbor answers a wrong password, and a robot that is wrong, disabled or expired, as it
answers nobody: with what is public, which may be nothing, and with status 200
(src/server/middleware/security of the same). `/users/current` tells them apart: 401
for nobody, 412 for a robot.
"""

from collections.abc import AsyncIterator, Callable, Generator, Mapping
from typing import Final, TypeGuard
from urllib.parse import quote

import httpx
from msgspec.structs import replace

from weighbridge.domain import limits
from weighbridge.domain.image.reference import is_repository_name, is_tag
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.domain.traffic.pulls import PullCount, read_pulls
from weighbridge.ports.protocols import ProjectQuota
from weighbridge.registry.exchange.paced_exchange import (
    PacedExchange,
    answer_of,
    question_of,
)
from weighbridge.registry.exchange.paging import (
    ListingPage,
    linked,
    page_members,
    same_origin,
    unusable_page,
)
from weighbridge.registry.exchange.vendor_api import (
    PAGE,
    VendorAPI,
    read_digest,
    read_time,
)
from weighbridge.registry.login.credentials import Credential

_LISTING: Final = "Harbor's listing"
PAGE_LENGTH: Final = 100
"""The most that the API gives; more is refused."""
_TOTAL_DIGITS: Final = 12


def parse_projects(raw: bytes) -> tuple[ListingPage, frozenset[str]]:
    """A page of `/projects`, and which of them are caches of another registry
    (`registry_id` is that registry's). Raises DocumentError(invalid_listing, ...)."""
    entries = _entries(raw)
    names = [_project(entry) for entry in entries]
    caches = frozenset(
        name
        for name, entry in zip(names, entries, strict=True)
        if name is not None and isinstance(entry, dict) and _is_cache(entry)
    )
    return _page(names), caches


def parse_harbor_repositories(raw: bytes, project: str) -> ListingPage:
    """A page of `/projects/PROJECT/repositories`. Entries of another project are
    counted as invalid. Raises DocumentError(invalid_listing, ...)."""
    entries = _entries(raw)
    names = [_repository(entry, project) for entry in entries]
    pulls = {
        name: count
        for name, entry in zip(names, entries, strict=True)
        if name is not None and (count := _pulls(entry)) is not None
    }
    return replace(_page(names), pulls=pulls)


def _pulls(entry: object) -> PullCount | None:
    """Of a repository: manifests that were fetched since it was made. A HEAD is not
    counted (getManifest in src/server/registry/manifest.go of goharbor/harbor)."""
    number = read_pulls(_member(entry, "pull_count"))
    return None if number is None else PullCount(number)


def parse_artifacts(raw: bytes, repository: str) -> ListingPage:
    """A page of the artifacts of one repository: their digests as its names, and the
    tags of each, all with its digest. Raises DocumentError(invalid_listing, ...).

    Its `size` is not used: it counts the manifest's own bytes too, and for an index all
    that is below it (src/controller/artifact/manifest of goharbor/harbor).
    """
    digests: list[str | None] = []
    tags: dict[str, TagSeen] = {}
    lost = 0
    for entry in _entries(raw):
        found = _artifact_tags(entry, repository)
        digests.append(None if found is None else found[0])
        if found is None:
            continue
        for tag in found[1]:
            if tag is None:
                lost += 1
            else:
                tags.setdefault(tag.name, tag)
    page = _page(digests)
    return replace(page, invalid=page.invalid + lost, tags=tuple(tags.values()))


def read_artifact_count(raw: bytes) -> int | None:
    """`artifact_count` of a repository. Raises DocumentError(invalid_listing, ...)."""
    count = page_members(raw, _LISTING).get("artifact_count")
    return count if type(count) is int else None


def read_pull_count(raw: bytes) -> PullCount | None:
    """`pull_count` of a repository. Raises DocumentError(invalid_listing, ...)."""
    return _pulls(page_members(raw, _LISTING))


def parse_quotas(raw: bytes) -> list[ProjectQuota | None]:
    """A page of `/quotas` (`Quota` of swagger.yaml), entry by entry; None for one that
    cannot be read. Raises DocumentError(invalid_listing, ...)."""
    return [_quota(entry) for entry in _entries(raw)]


def _quota(entry: object) -> ProjectQuota | None:
    project = _project(_member(entry, "ref"))
    used = _member(_member(entry, "used"), "storage")
    limit = _member(_member(entry, "hard"), "storage")
    if project is None or not _is_size(used):
        return None
    # -1 is no limit.
    return ProjectQuota(project, used, limit if _is_size(limit) else None)


def _member(entry: object, key: str) -> object:
    return entry.get(key) if isinstance(entry, dict) else None


def _is_size(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 2**63


def _entries(raw: bytes) -> list[object]:
    # No list says nothing; taken as an empty one it would delete everything.
    value = parse_json(raw)
    if not isinstance(value, list):
        raise unusable_page(_LISTING, "it is not a JSON list")
    return value


def _page(names: list[str | None]) -> ListingPage:
    good = dict.fromkeys(name for name in names if name is not None)
    return ListingPage(tuple(good), names.count(None))


def _project(entry: object) -> str | None:
    name = entry.get("name") if isinstance(entry, dict) else None
    is_word = isinstance(name, str) and "/" not in name
    return name if isinstance(name, str) and is_word and is_project(name) else None


def is_project(name: str) -> bool:
    """Whether a project can have this name."""
    return is_repository_name(f"{name}/a")


def _is_cache(entry: Mapping[str, object]) -> bool:
    registry = entry.get("registry_id")
    return type(registry) is int and registry != 0


def _repository(entry: object, project: str) -> str | None:
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not name.startswith(f"{project}/"):
        return None
    return name if is_repository_name(name) else None


def _artifact_tags(
    entry: object, repository: str
) -> tuple[str, list[TagSeen | None]] | None:
    """An artifact's digest and tags, None for each that cannot be read; None for what
    is no artifact of this repository."""
    if not isinstance(entry, dict):
        return None
    digest = read_digest(entry.get("digest"))
    if digest is None or entry.get("repository_name", repository) != repository:
        return None
    listed = entry.get("tags")
    if listed is None:  # of one without tags
        return digest, []
    if not isinstance(listed, list):
        return digest, [None]
    tags: list[TagSeen | None] = []
    for tag in listed:
        name = tag.get("name") if isinstance(tag, dict) else None
        if isinstance(name, str) and is_tag(name):
            pulled = (read_time(one.get("pull_time")) for one in (entry, tag))
            tags.append(
                TagSeen(
                    name,
                    digest,
                    read_time(tag.get("push_time")),
                    # A pull by digest is one of the artifact alone.
                    pulled_at=max(filter(None, pulled), default=None),
                )
            )
        else:
            tags.append(None)
    return digest, tags


def repository_path(repository: str) -> str:
    """`projects/PROJECT/repositories/NAME`, the rest of the name encoded twice, as the
    API wants it: `a/b` becomes `a%252Fb`."""
    project, _, name = repository.partition("/")
    twice = quote(quote(name, safe=""), safe="")
    return f"projects/{project}/repositories/{twice}"


def next_page(
    current_url: str, answer: httpx.Response, page: ListingPage
) -> str | None:
    """The page after this one, if the page links to one or its total tells of more.

    Of the link only the address is looked at, who moves it to another host is refused:
    the number of the page is all that it tells, and a proxy before Harbor may have
    decoded its path.
    """
    current = httpx.URL(current_url)
    number = int(current.params["page"])
    if page.next is not None:
        same_origin(current, page.next)
    elif number * PAGE_LENGTH >= (page.total or 0):
        return None
    return str(current.copy_set_param("page", number + 1))


class HarborSignIn(httpx.Auth):
    """Shows the password with each request: without one Harbor does not ask for it, but
    answers as it answers nobody."""

    def __init__(self, credential: Credential) -> None:
        self._authorization = credential.basic()

    def auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """The request with it."""
        request.headers["Authorization"] = self._authorization.reveal()
        yield request


_WHO: Final[dict[str, object]] = {
    "operation": "token",
    "handles": frozenset((412,)),
    "body_limit": limits.TOKEN_BODY_BYTES,
    "may_repeat": True,
}
_PAGE: Final[dict[str, object]] = PAGE | {"follow": False}
"""Another host, where no password is shown, would answer as it answers nobody."""
_QUOTAS: Final = _PAGE | {"handles": frozenset((401, 403, 404))}
MOST_QUOTAS: Final = 1_000
"""Of so many projects quotas are read."""
_BY_NAME: Final = "sort=name"
_BY_AGE: Final = "sort=id"


class HarborAPI(VendorAPI):
    """Pages of a hundred.

    url:      the registry's, without a slash at its end
    is_named: whether a password is shown
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        exchange: PacedExchange,
        url: str,
        *,
        is_named: bool,
    ) -> None:
        super().__init__(http, exchange, f"{url}/api/v2.0")
        self._is_named = is_named

    async def check_sign_in(self) -> None:
        """Raises AuthError where Harbor does not take the password: what it has
        listed until now may be less than there is."""
        if not self._is_named:
            return
        response = await self.http.get(f"{self.url}/users/current", extensions=_WHO)
        if response.status_code == 401:
            error = self.exchange.refusal(
                question_of(response.request), answer_of(response)
            )
            self.counts.note_failure("token", error)
            raise error

    async def projects(self, name: str = "") -> tuple[ListingPage, frozenset[str]]:
        """All that we may see, and which of them are caches of another registry. name:
        only those whose names hold it"""
        caches: set[str] = set()
        names: list[str] = []
        invalid = 0

        def parse(raw: bytes) -> ListingPage:
            page, of_page = parse_projects(raw)
            caches.update(of_page)
            return page

        only = f"name={quote(name, safe='')}&" if name else ""
        path = f"projects?{only}with_detail=false&{_BY_NAME}"
        async for page in self._pages(path, parse, limits.REPOSITORIES_PER_REGISTRY):
            names += page.names
            invalid += page.invalid
        return ListingPage(tuple(dict.fromkeys(names)), invalid), frozenset(caches)

    def repositories(self, project: str) -> AsyncIterator[ListingPage]:
        """The repositories of one project."""
        return self._pages(
            f"projects/{project}/repositories?{_BY_NAME}",
            lambda raw: parse_harbor_repositories(raw, project),
            limits.REPOSITORIES_PER_REGISTRY,
        )

    def artifacts(self, repository: str) -> AsyncIterator[ListingPage]:
        """The artifacts of one repository with their tags; `names` are digests.

        The oldest come first, so that what is pushed meanwhile comes last, with the
        tags that moved there. Those without a tag are listed too: one that loses its
        tag must not move the others to a page that was read."""
        return self._pages(
            f"{repository_path(repository)}/artifacts?with_tag=true&with_label=false"
            f"&with_scan_overview=false&{_BY_AGE}",
            lambda raw: parse_artifacts(raw, repository),
            limits.TAGS_PER_REPOSITORY,
        )

    async def quotas(self) -> tuple[ProjectQuota, ...] | None:
        """What projects store; None where we may not read it, or are nobody. Raises
        what is raised for any page."""
        if not self._is_named:
            return None
        found: dict[str, ProjectQuota] = {}
        for number in range(1, MOST_QUOTAS // PAGE_LENGTH + 1):
            response = await self.http.get(
                f"{self.url}/quotas?reference=project&page={number}"
                f"&page_size={PAGE_LENGTH}",
                extensions=_QUOTAS,
            )
            if response.status_code != 200:
                return None
            told = parse_quotas(response.content)
            found |= {quota.project: quota for quota in told if quota is not None}
            if len(told) < PAGE_LENGTH:
                break
        return tuple(found.values())

    async def send(self, url: str) -> httpx.Response:
        """Ask for a page, and follow no redirect."""
        return await self.http.get(url, extensions=_PAGE)

    async def count_artifacts(self, repository: str) -> int | None:
        """How many artifacts the repository itself says that it has, None where it does
        not. Raises NotFound where there is no such repository: a listing of its
        artifacts is empty then."""
        answer = await self.ask(f"{self.url}/{repository_path(repository)}")
        return read_artifact_count(answer.content)

    async def pulls(self, repository: str) -> PullCount | None:
        """How often something of the repository was pulled."""
        answer = await self.ask(f"{self.url}/{repository_path(repository)}")
        return read_pull_count(answer.content)

    def read(
        self, answer: httpx.Response, parse: Callable[[bytes], ListingPage]
    ) -> ListingPage:
        """With what the header fields say of the whole listing. Raises DocumentError,
        which is counted; ListingError(link_refused)."""

        def parse_with_total(raw: bytes) -> ListingPage:
            page = parse(raw)
            total = answer.headers.get("x-total-count", "")
            if not (total.isascii() and total.isdigit() and len(total) < _TOTAL_DIGITS):
                raise unusable_page(_LISTING, "it has no X-Total-Count")
            return replace(page, total=int(total))

        page = super().read(answer, parse_with_total)
        return replace(page, next=linked(answer.headers.get_list("link"), "next"))

    def _pages(
        self, path: str, parse: Callable[[bytes], ListingPage], most: int
    ) -> AsyncIterator[ListingPage]:
        first_url = f"{self.url}/{path}&page=1&page_size={PAGE_LENGTH}"
        return self.listing(first_url, parse, next_page, most=most, is_exact=True)
