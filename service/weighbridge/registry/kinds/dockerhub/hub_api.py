"""The listings of Docker Hub's own API: what its registry does not tell. Pages have the
shapes of docker/docs, hub/latest.yaml, but for `media_type` and `digest` of a tag,
which are served and not written down there: a tag without them is asked for at the
registry.

It is signed in to by a token for a password (the same document): `POST /v2/auth/token`
with `identifier` (a user, or an organisation) and `secret` (a password, a personal or
an organisation's access token). The older `/v2/users/login` is deprecated.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from datetime import datetime
from typing import Final, TypeAlias

import httpx
from msgspec import Struct

from weighbridge.domain import limits
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.media_types import INDEXES
from weighbridge.domain.image.platform import (
    UNKNOWN,
    Platform,
    normalised,
)
from weighbridge.domain.image.reference import is_repository_name, is_tag
from weighbridge.domain.limits import (
    PLATFORM_CHARACTERS,
    TOKEN_BODY_BYTES,
)
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.domain.text.printable import Secret
from weighbridge.domain.traffic.pulls import PullCount, read_pulls
from weighbridge.errors import AuthError
from weighbridge.net.transport import REDIRECT_STATUSES
from weighbridge.registry.auth.token_server import read_token, token_errors
from weighbridge.registry.exchange.paging import (
    ListingPage,
    page_members,
    unusable_page,
)
from weighbridge.registry.exchange.vendor_api import (
    VendorAPI,
    next_by_number,
    read_digest,
    read_size,
    read_time,
)
from weighbridge.registry.login.credentials import Credential, bearer
from weighbridge.registry.pacing.rate_limiter import Clock

_LISTING: Final = "Docker Hub's listing"
_ONE_IMAGE: Final = frozenset(
    {
        "application/vnd.docker.container.image.v1+json",
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
    }
)
"""Of a tag that names an image itself, and no index of images. Docker Hub writes the
type of the image's config there."""
Image: TypeAlias = tuple[Digest | None, int | None]
"""One platform of a tag: the digest of its manifest, None on very old images; and its
compressed bytes, None where nothing is said. Docker Hub writes 0 for that."""


def parse_hub_repositories(raw: bytes, namespace: str) -> ListingPage:
    """A page of `/v2/namespaces/NAMESPACE/repositories`. Entries of another namespace
    are counted as invalid. Raises DocumentError(invalid_listing, ...)."""
    page = page_members(raw, _LISTING)
    entries = _entries(page)
    names = [_repository(entry, namespace) for entry in entries]
    pulls = {
        name: count
        for name, entry in zip(names, entries, strict=True)
        if name is not None and (count := _pulls(entry)) is not None
    }
    return ListingPage(
        tuple(dict.fromkeys(name for name in names if name is not None)),
        names.count(None),
        total=_total(page),
        next=_next(page),
        pulls=pulls,
    )


def parse_hub_pulls(raw: bytes) -> PullCount | None:
    """`pull_count` of `/v2/namespaces/NAMESPACE/repositories/NAME`. Raises
    DocumentError(invalid_listing, ...)."""
    return _pulls(page_members(raw, _LISTING))


def _pulls(entry: object) -> PullCount | None:
    """Since the repository was made."""
    told = entry.get("pull_count") if isinstance(entry, dict) else None
    number = read_pulls(told)
    return None if number is None else PullCount(number)


def parse_hub_tags(raw: bytes) -> ListingPage:
    """A page of `/v2/namespaces/NAMESPACE/repositories/NAME/tags`. Raises
    DocumentError(invalid_listing, ...)."""
    page = page_members(raw, _LISTING)
    entries = [_tag(entry) for entry in _entries(page)]
    tags: dict[str, TagSeen] = {}
    for tag in entries:
        if tag is not None:
            tags.setdefault(tag.name, tag)
    return ListingPage(
        tuple(tags),
        entries.count(None),
        tuple(tags.values()),
        _total(page),
        _next(page),
    )


def _repository(entry: object, namespace: str) -> str | None:
    if not isinstance(entry, dict) or entry.get("namespace", namespace) != namespace:
        return None
    name = f"{namespace}/{entry.get('name')}"
    is_text = isinstance(entry.get("name"), str)
    return name if is_text and is_repository_name(name) else None


def _tag(entry: object) -> TagSeen | None:
    if not isinstance(entry, dict) or not is_tag(name := entry.get("name")):
        return None
    images = _images(entry.get("images"))
    pushed_at = read_time(entry.get("tag_last_pushed"))
    if pushed_at is None:
        pushed_at = read_time(entry.get("last_updated"))
    # What its images weigh by the API's word, as far as it says it.
    sizes = tuple((d, size) for d, size in images if d is not None and size is not None)
    return TagSeen(
        str(name),
        _digest_of_tag(entry, images),
        pushed_at,
        sizes,
        _pulled_at(entry),
    )


def _pulled_at(entry: dict[str, object]) -> datetime | None:
    """Of the tag, or of an image that it leads to: the last of all."""
    images = entry.get("images")
    parts = images if isinstance(images, list) else ()
    told = [
        entry.get("tag_last_pulled"),
        *(part.get("last_pulled") for part in parts if isinstance(part, dict)),
    ]
    return max(filter(None, map(read_time, told)), default=None)


def _digest_of_tag(
    entry: dict[str, object], images: tuple[Image, ...]
) -> Digest | None:
    """Its own digest, or that of its only image if it names no index.

    One that is a part of the tag's index is not its own: the other parts would be lost.
    """
    listed = entry.get("images")
    parts = listed if isinstance(listed, list) else []
    named = entry.get("media_type")
    media_type = named if isinstance(named, str) else ""
    if entry.get("digest") is None:
        is_one = len(parts) == 1 and len(images) == 1 and media_type in _ONE_IMAGE
        return images[0][0] if is_one else None
    digest = read_digest(entry["digest"])
    if len(parts) > 1 or media_type in INDEXES:
        digests = [part.get("digest") for part in parts if isinstance(part, dict)]
        return None if digest in digests else digest
    return digest


def _images(value: object) -> tuple[Image, ...]:
    """Those that can be read, the first of several of one platform; what cannot be is
    learned from the manifests. Attestations are left out, and images that nobody pulls
    (`inactive`) are not: they are still there."""
    found: dict[Platform, Image] = {}
    for entry in value if isinstance(value, list) else ():
        platform = _platform(entry)
        if platform is not None and platform != UNKNOWN:
            image = read_digest(entry.get("digest")), read_size(entry.get("size"))
            found.setdefault(platform, image)
    return tuple(found.values())


def _platform(entry: object) -> Platform | None:
    if not isinstance(entry, dict):
        return None
    keys = ("os", "architecture", "variant", "os_version")
    parts = [_text(entry.get(key)) for key in keys]
    return normalised(*parts) if parts[0] and parts[1] else None


def _text(value: object) -> str:
    is_short = isinstance(value, str) and len(value) <= PLATFORM_CHARACTERS
    return value if isinstance(value, str) and is_short else ""


def _entries(page: dict[str, object]) -> list[object]:
    # An absent list says nothing; taken as an empty one it would delete everything.
    entries = page.get("results")
    if not isinstance(entries, list):
        raise unusable_page(_LISTING, "it has no list of results")
    return entries


def _total(page: dict[str, object]) -> int | None:
    count = page.get("count")
    return count if type(count) is int and count >= 0 else None


def _next(page: dict[str, object]) -> str | None:
    """Raises DocumentError where it cannot be told whether this is the last page."""
    following = page.get("next", "")
    if following is not None and (not isinstance(following, str) or not following):
        raise unusable_page(_LISTING, "it does not say whether there is a next page")
    return following


HUB_API_URL: Final = "https://hub.docker.com"
PAGE_LENGTH: Final = 100
"""The most that the API gives; more is refused."""


class HubAPI(VendorAPI):
    """Pages of a hundred, the newest first."""

    def repositories(self, namespace: str) -> AsyncIterator[ListingPage]:
        """The repositories of one namespace that we may see."""
        return self._pages(
            f"{namespace}/repositories",
            lambda raw: parse_hub_repositories(raw, namespace),
            limits.REPOSITORIES_PER_REGISTRY,
            # It may count what this account does not see.
            is_exact=False,
        )

    def tags(self, repository: str) -> AsyncIterator[ListingPage]:
        """The tags of one repository, with what the API knows of each."""
        namespace, _, name = repository.partition("/")
        return self._pages(
            f"{namespace}/repositories/{name}/tags",
            parse_hub_tags,
            limits.TAGS_PER_REPOSITORY,
            # A tag that is not listed is taken for gone.
            is_exact=True,
        )

    async def pulls(self, repository: str) -> PullCount | None:
        """What the API tells of one repository."""
        namespace, _, name = repository.partition("/")
        url = f"{self.url}/v2/namespaces/{namespace}/repositories/{name}"
        return parse_hub_pulls((await self.ask(url)).content)

    def _pages(
        self,
        path: str,
        parse: Callable[[bytes], ListingPage],
        most: int,
        *,
        is_exact: bool,
    ) -> AsyncIterator[ListingPage]:
        first_url = f"{self.url}/v2/namespaces/{path}?page=1&page_size={PAGE_LENGTH}"
        return self.listing(
            first_url, parse, next_by_number, most=most, is_exact=is_exact
        )


TOKEN_LASTS_S: Final = 9 * 60.0
"""The API's tokens hold ten minutes and do not say so."""
_REFUSALS: Final = frozenset((401, 403))
_TOKEN: Final[dict[str, object]] = {
    "operation": "token",
    "handles": REDIRECT_STATUSES | _REFUSALS,
    "body_limit": TOKEN_BODY_BYTES,
    "may_repeat": True,  # a token more changes nothing
}


class _Token(Struct, frozen=True):
    """The value of `Authorization`, and the monotonic time at which it is not used any
    more."""

    authorization: Secret
    until: float


class HubSignIn(httpx.Auth):
    """One token for all requests, none for anonymous users. A password that was
    refused is not tried again by this client.

    http: asks without this, at the API's pace
    """

    def __init__(
        self,
        url: str,
        credential: Credential | None,
        http: httpx.AsyncClient,
        clock: Clock,
    ) -> None:
        self._url = f"{url}/v2/auth/token"
        self._credential = credential
        self._http = http
        self._clock = clock
        self._kept: _Token | None = None
        self._is_refused = False
        self._lock = asyncio.Lock()

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The request with the token that we have, or a new one; again with another
        where that had ended. A new one that is refused is final."""
        token, is_new = await self._token(refused=None)
        response = yield _with(token, request)
        if response.status_code == 401 and token is not None and not is_new:
            token, _ = await self._token(refused=token)
            yield _with(token, request)

    async def _token(self, refused: _Token | None) -> tuple[_Token | None, bool]:
        """A token, and whether it was fetched for this very request."""
        credential = self._credential
        password = None if credential is None else credential.api_password
        if credential is None or password is None:
            return None, False
        async with self._lock:  # those who wait get the token of the first
            if self._is_refused:
                raise _refused(credential)
            if self._kept is not None and self._is_good(self._kept, refused):
                return self._kept, False
            self._kept = None
            self._kept = await self._sign_in(credential, password)
            return self._kept, True

    def _is_good(self, kept: _Token, refused: _Token | None) -> bool:
        if refused is not None and kept.authorization == refused.authorization:
            return False
        return self._clock.monotonic() < kept.until

    async def _sign_in(self, credential: Credential, password: Secret) -> _Token:
        sent = {"identifier": credential.username, "secret": password.reveal()}
        with token_errors(_unusable):
            response = await self._http.post(self._url, json=sent, extensions=_TOKEN)
        if response.status_code in _REFUSALS:
            self._is_refused = True
            raise _refused(credential)
        if response.status_code in REDIRECT_STATUSES:
            raise _unusable("it redirects, and a password does not follow")
        token = parse_hub_token(response.content)
        return _Token(bearer(token), self._clock.monotonic() + TOKEN_LASTS_S)


def parse_hub_token(raw: bytes) -> Secret:
    """`{"access_token": ...}`. Raises AuthError(auth_error)."""
    return read_token(raw, ("access_token",), _unusable)[0]


def _with(token: _Token | None, request: httpx.Request) -> httpx.Request:
    if token is not None:
        request.headers["Authorization"] = token.authorization.reveal()
    return request


def _refused(credential: Credential) -> AuthError:
    return AuthError(
        f"Docker Hub refuses {credential}",
        code="unauthorized",
        hint="check `auth`; an account with a second factor needs a personal access"
        " token in place of the password",
    )


def _unusable(reason: str) -> AuthError:
    return AuthError(
        f"Docker Hub's sign-in cannot be used: {reason}",
        hint="check `api_url`",
    )
