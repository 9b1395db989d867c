"""Google's registries: one answer has all tags of a repository with their digests, and
the names below a name, so that everything is found and known by `/v2` alone. Where we
may ask Artifact Registry's API, it has the names of a thousand images a page.

What an answer says of a tag is a claim: no image is stored by it. Each manifest is
asked for once ever, by the digest that was named.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from msgspec.structs import replace

from weighbridge.domain.registry.listing import RepositoryListing, TagPage
from weighbridge.domain.text.globs import EVERYTHING, Patterns
from weighbridge.errors import (
    AuthError,
    DocumentError,
    ListingError,
    NotFound,
    RateLimited,
    RegistryError,
)
from weighbridge.net.http1.head import Sender
from weighbridge.registry.exchange.endpoint import Endpoint, KindAccess
from weighbridge.registry.exchange.paced_exchange import PacedExchange, api_client
from weighbridge.registry.exchange.paging import ListingPage
from weighbridge.registry.exchange.registry_request import RefusalWords, RegistryRequest
from weighbridge.registry.exchange.vendor_api import api_endpoint
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.registry.kinds.google.google_ambient import (
    AmbientToken,
    ambient_login,
)
from weighbridge.registry.kinds.google.google_api import (
    GOOGLE_API_URL,
    GoogleAPI,
    GoogleAPISignIn,
    GooglePlace,
)
from weighbridge.registry.kinds.google.google_key import ServiceKey, read_key_file
from weighbridge.registry.kinds.google.google_kind import (
    GoogleSettings,
    google_roots,
    location_of,
)
from weighbridge.registry.kinds.google.google_listing import (
    GOOGLE_PAGE_BYTES,
    GoogleFolder,
    parse_google_folder,
    parse_google_tags,
)
from weighbridge.registry.kinds.google.google_token import (
    TOKEN_USER,
    GivenToken,
    GoogleToken,
    SignedToken,
    can_sign,
)
from weighbridge.registry.kinds.google.google_walk import (
    Failure,
    GoogleWalk,
    LookedAt,
    nothing_below,
)
from weighbridge.registry.login.credentials import Credential
from weighbridge.registry.login.given_login import GivenLogin
from weighbridge.registry.pacing.rate_limiter import Clock
from weighbridge.telemetry import Telemetry

GOOGLE_WORDS: Final = RefusalWords(
    sign_in="check `key_file` or `auth`, and that its account has the role"
    " roles/artifactregistry.reader on the repository or its project",
)
_AT_ONCE: Final = 8
"""Names that are looked at together."""


class GoogleRegistry(DistributionRegistry):
    """`ports.Registry` of Artifact Registry and Container Registry.

    wanted: repositories that are crawled; what their patterns begin with is where they
            are looked for
    api:    None: by `/v2` alone
    """

    def __init__(
        self,
        endpoint: Endpoint,
        connections: Sender,
        telemetry: Telemetry,
        clock: Clock,
        wanted: Patterns,
        api: GoogleAPI | None = None,
    ) -> None:
        super().__init__(
            endpoint, connections, telemetry, clock=clock, words=GOOGLE_WORDS
        )
        self._roots = google_roots(wanted.include)
        self._is_looked_at = LookedAt(wanted)
        self._api = api
        if api is not None:
            api.counts.cost = self.cost

    async def repositories(self) -> AsyncIterator[RepositoryListing]:
        """What is below the names that the patterns begin with. A name that cannot be
        looked at does not keep the others from it: its error comes last."""
        if self._roots:
            async for listing in self._below(self._roots):
                yield listing
            return
        try:
            async for listing in super().repositories():
                yield listing
        except RegistryError as exc:
            if exc.retryable or isinstance(exc, RateLimited):
                raise
            raise ListingError(
                f"Google's registry gives no list of all repositories: {exc.message}",
                code="no_namespaces",
                hint="name below what to look in `repositories.include`, such as"
                " PROJECT/REPOSITORY/*",
            ) from exc

    async def tags(self, repository: str) -> AsyncIterator[TagPage]:
        """All tags of a repository, with their digests: of one answer, or where that
        is too long of the API's pages. Raises NotFound where there is nothing of this
        name, whatever status says so."""
        try:
            async for page in self._listing(*self._of_tags(repository)):
                yield page.as_tags()
        except (DocumentError, RegistryError) as exc:
            if exc.code != "too_large" or self._api is None:
                raise
            async for page in _instead(self._api, repository, exc):
                yield page.as_tags()

    def _of_tags(
        self, repository: str
    ) -> tuple[RegistryRequest, Callable[[bytes], ListingPage]]:
        """The question for them, and what reads its answer."""

        def parse(raw: bytes) -> ListingPage:
            page = parse_google_tags(raw, repository)
            if not page.entries and parse_google_folder(raw, repository).is_empty:
                raise NotFound(
                    f"the registry holds nothing under the name {repository}",
                    code="name_unknown",
                    hint="it was deleted, or this user no longer sees it",
                )
            return page

        question = self._questions.tags(repository)
        return replace(question, body_limit=GOOGLE_PAGE_BYTES), parse

    async def aclose(self) -> None:
        try:
            if self._api is not None:
                await self._api.aclose()
        finally:
            await super().aclose()

    async def _below(self, roots: Sequence[str]) -> AsyncIterator[RepositoryListing]:
        """By the API; where it is not open to us, name by name."""
        left: list[str] = []
        known: set[GooglePlace] = set()
        failed: Failure | None = None
        for root in roots:
            try:
                if self._api is None:
                    left.append(root)
                    continue
                async for page in self._listed(self._api, root, known):
                    yield page.as_repositories()
            except (AuthError, NotFound):
                left.append(root)
            except (DocumentError, RegistryError) as exc:
                if isinstance(exc, RateLimited):
                    raise
                failed = failed or exc
        walk = GoogleWalk(self._is_looked_at, left)
        while names := walk.take(_AT_ONCE):
            found = await asyncio.gather(
                *map(self._look, names), return_exceptions=True
            )
            for name, folder in zip(names, found, strict=True):
                walk.note(name, folder)
            listing = walk.listing()
            if listing.names or listing.invalid:
                yield listing
        failed = failed or walk.failed
        if failed is not None:
            raise failed

    async def _listed(
        self, api: GoogleAPI, root: str, known: set[GooglePlace]
    ) -> AsyncIterator[ListingPage]:
        """The images of the repositories that a root is in, or has. known: repositories
        that were listed to their end; more is noted here"""
        place = replace(api.place(root), package="")
        if place.repository:
            repositories = [place]
        else:
            repositories = []
            async for page in api.repositories(place):
                # Their names are no images': only what could not be read counts.
                yield ListingPage((), page.invalid)
                wanted = filter(self._is_looked_at, page.names)
                repositories += map(api.place, wanted)
        has_any = not known.isdisjoint(repositories)
        for repository in repositories:
            if repository in known:
                continue
            async for page in api.packages(repository):
                has_any = has_any or bool(page.entries)
                yield page
            known.add(repository)
        if not has_any:
            raise nothing_below(root)

    async def _look(self, name: str) -> GoogleFolder:
        """What is under a name."""
        folders: list[GoogleFolder] = []

        def parse(raw: bytes) -> ListingPage:
            folder = parse_google_folder(raw, name)
            folders.append(folder)
            return ListingPage(folder.children, folder.invalid)

        question = replace(
            self._questions.tags(name),
            operation="catalog",
            body_limit=GOOGLE_PAGE_BYTES,
        )
        async for _ in self._listing(question, parse):
            pass
        return GoogleFolder(
            tuple(child for folder in folders for child in folder.children),
            sum(folder.invalid for folder in folders),
            any(folder.has_images for folder in folders),
        )


async def _instead(
    api: GoogleAPI, repository: str, too_large: Failure
) -> AsyncIterator[ListingPage]:
    """Tags by the API. Raises `too_large` where it is not open to us or has none: they
    are too many to be none."""
    place, has_any = api.place(repository), False
    if not place.package:
        raise too_large
    try:
        async for page in api.tags(place):
            has_any = has_any or bool(page.entries)
            yield page
    except (AuthError, NotFound) as exc:
        raise too_large from exc
    if not has_any:
        raise too_large


def open_google(endpoint: Endpoint, access: KindAccess) -> GoogleRegistry:
    """One that is closed by whoever opened it. endpoint: not of the API. Raises
    ConfigError(secret_file)."""
    settings = access.settings
    own = settings if isinstance(settings, GoogleSettings) else None
    key = None
    if own is not None and own.key_file is not None:
        key = read_key_file(own.key_file)
        endpoint = replace(endpoint, credential=key.credential())
    login = ambient_login(access.clock) if own is not None and own.is_ambient else None
    if login is not None:
        endpoint = replace(endpoint, login=login)
    # The registry's client comes last: what it says of itself in the metrics stays.
    api = None if own is None else _open_api(own, key, login, endpoint, access)
    return GoogleRegistry(
        endpoint,
        access.connections(endpoint),
        access.telemetry,
        access.clock,
        Patterns(EVERYTHING) if settings is None else settings.wanted_repositories,
        api,
    )


def _open_api(
    own: GoogleSettings,
    key: ServiceKey | None,
    login: GivenLogin | None,
    endpoint: Endpoint,
    access: KindAccess,
) -> GoogleAPI | None:
    """None where it is not said in which location, or who we are."""
    location = own.location or location_of(own.host)
    if not location:
        return None
    token: GoogleToken | None = None if login is None else AmbientToken(login)
    token = token or _token(key, endpoint.credential, access.clock)
    if token is None:
        return None
    there = api_endpoint(endpoint, own.api_url or GOOGLE_API_URL, access)
    exchange = PacedExchange(there, access.telemetry, access.clock, words=GOOGLE_WORDS)
    connections = access.connections(there, is_api=True)
    http = api_client(there, exchange, connections, GoogleAPISignIn(token))
    return GoogleAPI(http, exchange, there.url, location)


def _token(
    key: ServiceKey | None, credential: Credential | None, clock: Clock
) -> GoogleToken | None:
    if key is not None:
        return SignedToken(key, clock) if can_sign() else None
    if credential is None or credential.api_password is None:
        return None
    # Credential helpers call it by names of their own: _dcgcloud_token, _dcgcr_...
    if credential.username.startswith((TOKEN_USER, "_dcg")):
        return GivenToken(credential.api_password)
    return None
