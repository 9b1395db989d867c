"""The listings of the Artifact Registry API: repositories of a project, and their
packages, which are the names of images. Pages have the shapes of its discovery document
(artifactregistry.googleapis.com/$discovery/rest?version=v1).

A list that is empty is left out of its page. Tags are asked for here only where the
registry, which says them all in one answer, says too much.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Final
from urllib.parse import quote, unquote

import httpx
from msgspec import Struct

from weighbridge.domain import limits
from weighbridge.domain.image.reference import is_repository_name, is_tag
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.registry.exchange.paced_exchange import PacedExchange
from weighbridge.registry.exchange.paging import (
    ListingPage,
    page_members,
    unusable_page,
)
from weighbridge.registry.exchange.vendor_api import VendorAPI, read_digest
from weighbridge.registry.kinds.google.google_token import GoogleToken

GOOGLE_API_URL: Final = "https://artifactregistry.googleapis.com"
API_PAGE_LENGTH: Final = 1_000
"""The most that the API gives."""
_LISTING: Final = "Artifact Registry's listing"


class GooglePlace(Struct, frozen=True):
    """A project in a location, as the API calls it, and a repository of it.

    names:      what the names of its images begin with
    project:    such as acme, or acme.example:web for the project of a domain
    repository: "" for all of them
    package:    the rest of an image's name, "" for none
    """

    names: str
    project: str
    location: str
    repository: str = ""
    package: str = ""

    @property
    def parent(self) -> str:
        """The API's name of the project in this location."""
        return f"projects/{self.project}/locations/{self.location}"

    @property
    def repository_name(self) -> str:
        """The API's name of the repository."""
        return f"{self.parent}/repositories/{self.repository}"

    @property
    def package_name(self) -> str:
        """The API's name of the image, with its slashes escaped."""
        return f"{self.repository_name}/packages/{quote(self.package, safe='')}"


def place_of(name: str, location: str) -> GooglePlace:
    """Where the repositories below a name are."""
    first, *others = name.split("/")
    if "." in first and others:
        # The project of a domain has two words here.
        second, *others = others
        names, project = f"{first}/{second}", f"{first}:{second}"
    else:
        names = project = first
    repository, *rest = others or ("",)
    return GooglePlace(names, project, location, repository, "/".join(rest))


def parse_google_repositories(raw: bytes, place: GooglePlace) -> ListingPage:
    """A page of `/v1/PARENT/repositories`: those of images, by the names that these
    begin with. Virtual ones are left out: they hold nothing of their own. Raises
    DocumentError(invalid_listing, ...)."""
    page = page_members(raw, _LISTING)
    start = f"{place.parent}/repositories/"
    entries = _entries(page, "repositories")
    # What is of another kind is no image, whatever its name.
    mine = [entry for entry in entries if not _is_other(entry)]
    names = [_name(entry, start, place.names) for entry in mine]
    return _listed(page, names)


def parse_google_packages(raw: bytes, place: GooglePlace) -> ListingPage:
    """A page of `/v1/PARENT/repositories/REPOSITORY/packages`: names of images. Raises
    DocumentError(invalid_listing, ...)."""
    page = page_members(raw, _LISTING)
    start = f"{place.repository_name}/packages/"
    folder = f"{place.names}/{place.repository}"
    entries = _entries(page, "packages")
    return _listed(page, [_name(entry, start, folder) for entry in entries])


def parse_google_package_tags(raw: bytes, place: GooglePlace) -> ListingPage:
    """A page of `/v1/PARENT/repositories/REPOSITORY/packages/PACKAGE/tags`, each with
    its digest. Raises DocumentError(invalid_listing, ...)."""
    page = page_members(raw, _LISTING)
    tags = [_tag(entry, place) for entry in _entries(page, "tags")]
    good = {tag.name: tag for tag in tags if tag is not None}
    return ListingPage(
        tuple(good), tags.count(None), tuple(good.values()), next=_next(page)
    )


def _tag(entry: object, place: GooglePlace) -> TagSeen | None:
    if not isinstance(entry, dict):
        return None
    name, version = entry.get("name"), entry.get("version")
    tags, versions = f"{place.package_name}/tags/", f"{place.package_name}/versions/"
    if not isinstance(name, str) or not name.startswith(tags):
        return None
    tag = name.removeprefix(tags)
    if not is_tag(tag):
        return None
    # One without a digest is asked for at the registry.
    is_here = isinstance(version, str) and version.startswith(versions)
    return TagSeen(
        tag, read_digest(str(version).removeprefix(versions)) if is_here else None
    )


def _listed(page: dict[str, object], names: list[str | None]) -> ListingPage:
    good = tuple(dict.fromkeys(name for name in names if name is not None))
    return ListingPage(good, names.count(None), next=_next(page))


def _entries(page: dict[str, object], key: str) -> list[object]:
    entries = page.get(key, [])
    if not isinstance(entries, list) or "error" in page:
        raise unusable_page(_LISTING, f"{key!r} is not a list")
    return entries


def _is_other(entry: object) -> bool:
    """Whether it is surely no repository of images of its own."""
    if not isinstance(entry, dict):
        return False
    is_other = isinstance(entry.get("format"), str) and entry["format"] != "DOCKER"
    return is_other or entry.get("mode") == "VIRTUAL_REPOSITORY"


def _name(entry: object, start: str, folder: str) -> str | None:
    """The name of an image, or what it begins with; slashes in it are escaped."""
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not name.startswith(start):
        return None
    whole = f"{folder}/{unquote(name.removeprefix(start))}"
    return whole if is_repository_name(whole) else None


def _next(page: dict[str, object]) -> str | None:
    """Raises DocumentError where it cannot be told whether this is the last page."""
    token = page.get("nextPageToken", "")
    if not isinstance(token, str):
        raise unusable_page(_LISTING, "it does not say whether there is a next page")
    return token or None


class GoogleAPI(VendorAPI):
    """Pages of a thousand. location: of the registry that is asked beside it"""

    def __init__(
        self, http: httpx.AsyncClient, exchange: PacedExchange, url: str, location: str
    ) -> None:
        super().__init__(http, exchange, url)
        self._location = location

    def place(self, name: str) -> GooglePlace:
        """Where the repositories below a name are."""
        return place_of(name, self._location)

    def repositories(self, place: GooglePlace) -> AsyncIterator[ListingPage]:
        """The repositories of a project in one location."""
        return self._pages(
            f"{place.parent}/repositories",
            lambda raw: parse_google_repositories(raw, place),
        )

    def packages(self, place: GooglePlace) -> AsyncIterator[ListingPage]:
        """The images of one repository."""
        return self._pages(
            f"{place.repository_name}/packages",
            lambda raw: parse_google_packages(raw, place),
        )

    def tags(self, place: GooglePlace) -> AsyncIterator[ListingPage]:
        """The tags of one image."""
        return self._pages(
            f"{place.package_name}/tags",
            lambda raw: parse_google_package_tags(raw, place),
            limits.TAGS_PER_REPOSITORY,
        )

    def _pages(
        self,
        path: str,
        parse: Callable[[bytes], ListingPage],
        most: int = limits.REPOSITORIES_PER_REGISTRY,
    ) -> AsyncIterator[ListingPage]:
        return self.listing(
            f"{self.url}/v1/{path}?pageSize={API_PAGE_LENGTH}",
            parse,
            _next_by_token,
            most=most,
            is_exact=False,
        )


def _next_by_token(url: str, answer: httpx.Response, page: ListingPage) -> str | None:
    if page.next is None:
        return None
    return str(httpx.URL(url).copy_set_param("pageToken", page.next))


class GoogleAPISignIn(httpx.Auth):
    """Shows an access token with each request."""

    def __init__(self, token: GoogleToken) -> None:
        self._token = token

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        request.headers["Authorization"] = (await self._token.authorization()).reveal()
        yield request
