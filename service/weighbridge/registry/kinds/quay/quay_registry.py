"""Quay: listings by its own API, documents and blobs by its registry.

A HEAD of a manifest is written to the log of a repository as a pull, like a GET
(endpoints/v2/manifest.py of quay/quay); a page of the API is not. It gives the digest
of each tag, so that manifests are asked for once ever, by digest.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from typing import Final

from msgspec.structs import replace

from weighbridge.domain.registry.listing import RepositoryListing, TagPage
from weighbridge.domain.text.printable import Secret
from weighbridge.domain.traffic.pulls import PullCount
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
from weighbridge.registry.exchange.registry_request import RefusalWords
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.registry.kinds.distribution.served import parse_catalog_page
from weighbridge.registry.kinds.quay.quay_api import QuayAPI, TokenHeader
from weighbridge.registry.kinds.quay.quay_kind import QUAY_IO, QuaySettings
from weighbridge.registry.login.credentials import Credential
from weighbridge.registry.pacing.rate_limiter import Clock, RateLimiter
from weighbridge.telemetry import Telemetry

OAUTH_USER: Final = "$oauthtoken"
"""Who signs in to the registry with an OAuth token in the place of a password
(auth/credential_consts.py of quay/quay)."""
API_REQUESTS_PER_SECOND: Final = 5.0
"""Of quay.io for one address over HTTP/1.1 (conf/nginx/rate-limiting.conf.jnj of
quay/quay, the zone of `/api/`); others have no such limit unless they set one."""
_AS_NOBODY: Final = (
    "private repositories need `api_token` or `api_token_file`: Quay's API takes no"
    " password"
)
_AS_SOMEBODY: Final = (
    "the repository is not there, or the user of `api_token` may not read it, or the"
    " token has ended or may not view repositories"
)
ALL: Final = ""
"""In the place of a namespace: whatever the registry shows."""


class QuayRegistry(DistributionRegistry):
    """`ports.Registry` of Quay. `cost` is that of API and registry.

    listed: namespaces whose repositories are discovered, or `ALL`
    """

    def __init__(
        self,
        endpoint: Endpoint,
        connections: Sender,
        telemetry: Telemetry,
        clock: Clock,
        api: QuayAPI,
        listed: Sequence[str] = (),
    ) -> None:
        super().__init__(endpoint, connections, telemetry, clock=clock)
        self._api = api
        self._listed = tuple(dict.fromkeys(listed))
        self._signs_in = endpoint.who is not None
        api.counts.cost = self.cost

    async def ping(self) -> None:
        """Ask the API, and the registry where we have a user: it lets nobody in who
        names no repository."""
        if self._api.has_token:
            await self._api.check_token()
        else:
            await anext(self._api.repositories("library"), None)
        if self._signs_in:
            await super().ping()

    async def repositories(self) -> AsyncIterator[RepositoryListing]:
        """Pages of the namespaces, one after the other. One that cannot be listed
        does not keep the others from it: its error comes last, after that of a token
        that Quay does not know."""
        if not self._listed:
            with suppress(DocumentError, RegistryError):
                await self.ping()  # whether it is there at all
            raise ListingError(
                "all repositories of quay.io are never listed",
                code="no_namespaces",
                hint="name whose are meant in `namespaces`, or which in"
                " `repositories.include`",
            )
        failed: DocumentError | RegistryError | None = None
        shown: set[str] = set()
        for listing in self._listings():
            try:
                async for page in listing:
                    shown.update(_namespaces(page))
                    yield page.as_repositories()
            except (DocumentError, RegistryError) as exc:
                if isinstance(exc, RateLimited):
                    raise
                failed = failed or exc
        if self._api.has_token:
            await self._api.check_token()
        if failed is not None:
            raise failed
        for namespace in self._listed:
            if namespace not in shown:
                raise _nothing_seen(namespace)

    def _listings(self) -> Iterator[AsyncIterator[ListingPage]]:
        for namespace in self._listed:
            yield self._api.repositories(namespace)
        if self._signs_in and not self._api.has_token:
            yield self._catalog()

    async def _catalog(self) -> AsyncIterator[ListingPage]:
        """What the user of the registry may read. Quay does not ask who asks for its
        catalog, and shows an empty one to nobody; so we sign in before. Its token
        server knows no scope for it (endpoints/v2/v2auth.py of quay/quay)."""
        await super().ping()
        whole = replace(self._questions.catalog(), scope="")
        async for page in self._listing(whole, parse_catalog_page):
            yield page

    async def tags(self, repository: str) -> AsyncIterator[TagPage]:
        """Pages of one repository's tags, with digests. Without a token of the API,
        those of a private one come from the registry, by name alone. Raises NotFound
        too, which is believed of the registry alone: a proxy that passes on `/v2/` and
        not the API has a 404 of its own."""
        listing = aiter(self._api.tags(repository))
        first: ListingPage | None = None
        try:
            first = await anext(listing, None)
        except (AuthError, NotFound) as exc:
            is_refused = isinstance(exc, AuthError)
            if is_refused and (self._api.has_token or not self._signs_in):
                raise
            async for by_name in super().tags(repository):
                yield by_name
        if first is not None:
            yield first.as_tags(tags_may_move=True)
            async for page in listing:
                yield page.as_tags(tags_may_move=True)

    async def pulls(self, repository: str) -> PullCount | None:
        """`ports.TellsPulls`."""
        return await self._api.pulls(repository)

    async def aclose(self) -> None:
        try:
            await self._api.aclose()
        finally:
            await super().aclose()


def _namespaces(page: ListingPage) -> Iterator[str]:
    """Those of which a page shows something, and `ALL`. What cannot be read counts as
    shown: that is told as what it is."""
    if page.entries:
        yield ALL
    yield from (name.partition("/")[0] for name in page.names)


def _nothing_seen(namespace: str) -> ListingError:
    """An unknown namespace, and one of which we may see nothing, look like one that is
    empty."""
    whose = f"in {namespace!r}" if namespace else "anywhere"
    return ListingError(
        f"Quay shows no repository {whose}",
        code="empty_listing",
        hint="check the name, and what the user of `api_token` may read; without a"
        " token only public repositories are shown",
    )


def open_quay(endpoint: Endpoint, access: KindAccess) -> QuayRegistry:
    """One that is closed by whoever opened it. Raises ConfigError(secret_file)."""
    # The registry's client comes last: what it says of itself in the metrics stays.
    settings = access.settings
    own = settings if isinstance(settings, QuaySettings) else None
    token = own.current_api_token() if own else None
    api = open_quay_api(
        replace(endpoint, gate=_gate_of_api(endpoint, access)),
        token,
        access.connections(endpoint, is_api=True),
        access.telemetry,
        access.clock,
    )
    if token is not None and endpoint.who is None:
        endpoint = replace(endpoint, credential=Credential(OAUTH_USER, token))
    listed: Sequence[str] = own.listed_namespaces if own else ()
    return QuayRegistry(
        endpoint,
        access.connections(endpoint),
        access.telemetry,
        access.clock,
        api,
        (ALL,) if own and own.lists_all else listed,
    )


def _gate_of_api(endpoint: Endpoint, access: KindAccess) -> RateLimiter | None:
    """One for both, as they are one host, unless its operator limits the API alone."""
    if endpoint.origin[1] != QUAY_IO:
        return endpoint.gate
    return access.gate_of("api", API_REQUESTS_PER_SECOND)


def open_quay_api(
    endpoint: Endpoint,
    token: Secret | None,
    connections: Sender,
    telemetry: Telemetry,
    clock: Clock,
) -> QuayAPI:
    """endpoint: the registry's, with the limits of the API; its own credential is shown
    to nobody here"""
    credential = None if token is None else Credential(token=token)
    mine = replace(endpoint, credential=credential, login=None)
    words = RefusalWords(sign_in=_AS_NOBODY if token is None else _AS_SOMEBODY)
    exchange = PacedExchange(mine, telemetry, clock, words=words)
    auth = None if token is None else TokenHeader(token)
    http = api_client(mine, exchange, connections, auth)
    return QuayAPI(http, exchange, endpoint.url, has_token=token is not None)
