"""GitHub's container registry: listings by GitHub's API, documents and blobs by the
registry.

The API tells the digest of every tag, a hundred manifests a page, for a personal access
token; the registry's token server takes the same token as a password. What the API
tells is a claim: each manifest is asked for by its digest, and checked. Where nobody
has named a token or the owner, the registry's own list of tags is read.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Final

import structlog

from weighbridge.domain.registry.listing import RepositoryListing, TagPage
from weighbridge.domain.registry.rate_limit import RateLimit
from weighbridge.errors import (
    DocumentError,
    ListingError,
    NotFound,
    RateLimited,
    RegistryError,
)
from weighbridge.net.http1.head import Sender
from weighbridge.registry.exchange.endpoint import Endpoint, KindAccess
from weighbridge.registry.exchange.paced_exchange import PacedExchange, api_client
from weighbridge.registry.exchange.vendor_api import api_endpoint
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.registry.kinds.ghcr.ghcr_api import (
    GITHUB_WORDS,
    BeyondPages,
    OwnerKind,
    PackageAPI,
    ShownToken,
)
from weighbridge.registry.kinds.ghcr.ghcr_kind import (
    GHCRSettings,
    api_root,
    is_of_github,
)
from weighbridge.registry.pacing.rate_limiter import Clock
from weighbridge.telemetry import Telemetry

API_REQUESTS_PER_SECOND: Final = 10.0
"""docs.github.com, "Rate limits for the REST API": 900 points a minute, and a GET is
one; what else asks with the same token has the other third."""


class GHCRRegistry(DistributionRegistry):
    """`ports.Registry` of GitHub's container registry; `cost` is that of both hosts.

    api:    None where there is no token to ask it with
    owners: whose packages are listed by the API, in lower case
    """

    def __init__(
        self,
        endpoint: Endpoint,
        connections: Sender,
        telemetry: Telemetry,
        clock: Clock,
        api: PackageAPI | None,
        owners: Mapping[str, OwnerKind],
    ) -> None:
        super().__init__(
            endpoint, connections, telemetry, clock=clock, words=GITHUB_WORDS
        )
        self._api = api
        self._owners = dict(owners)
        self._log = structlog.get_logger("weighbridge.registry")
        if api is not None:
            api.counts.cost = self.cost

    @property
    def rate_limit(self) -> RateLimit | None:
        """That of the API, by the hour; the registry tells none."""
        return None if self._api is None else self._api.counts.rate_limit

    async def ping(self) -> None:
        """Ask what costs nothing. Nobody gets past the registry's 401 without a token
        for a repository: to somebody without credentials it says that it is there."""
        if self._endpoint.credential is None:
            await self._client.ask_unsigned(self._questions.ping())
        else:
            await super().ping()

    async def repositories(self) -> AsyncIterator[RepositoryListing]:
        """Pages of the owners' packages, one after the other. An owner that cannot be
        listed does not keep the others from it: its error comes last."""
        if self._api is None or not self._owners:
            await self.ping()
            raise ListingError(
                "GitHub has no list of all repositories",
                code="no_namespaces",
                hint="name whose packages are meant in `organizations` or `users`, with"
                " `auth`, or whole names in `repositories.include`",
            )
        failed: DocumentError | RegistryError | None = None
        for owner, kind in self._owners.items():
            try:
                async for page in self._api.packages(kind, owner):
                    yield page.as_repositories()
            except (DocumentError, RegistryError) as exc:
                if isinstance(exc, RateLimited):
                    raise
                failed = failed or exc
        if failed is not None:
            raise failed

    async def tags(self, repository: str) -> AsyncIterator[TagPage]:
        """Pages of one repository's tags, with digests where the API lists its
        versions: not where there are too many of them, nor where it knows no such
        package. Raises NotFound too."""
        kind = self._owners.get(repository.partition("/")[0])
        if self._api is not None and kind is not None:
            try:
                async for versions in self._api.versions(kind, repository):
                    yield versions.as_tags(tags_may_move=True)
                return
            except NotFound as exc:
                # What may not be seen looks like what is not there: the registry has
                # another answer for it, and its own list of tags is as good.
                reason = exc.message
            except BeyondPages:
                reason = "GitHub's API lists no more than 10,000 versions of a package"
            self._log.warning(
                "the registry lists the tags, and each costs a HEAD",
                registry=self.name,
                repository=repository,
                reason=reason,
            )
        async for page in super().tags(repository):
            yield page

    async def aclose(self) -> None:
        try:
            if self._api is not None:
                await self._api.aclose()
        finally:
            await super().aclose()


def open_ghcr(endpoint: Endpoint, access: KindAccess) -> GHCRRegistry:
    """One that is closed by whoever opened it. endpoint: not of the API"""
    settings = access.settings
    own = settings if isinstance(settings, GHCRSettings) else None
    api_url = None if own is None else own.known_api_url
    has_token = endpoint.credential is not None and endpoint.credential.api_password
    api: PackageAPI | None = None
    # The registry's client comes last: what it says of itself in the metrics stays.
    if own is not None and own.owners and api_url is not None and has_token:
        api = open_package_api(
            api_endpoint(endpoint, api_url, access, _most_per_second(api_url)),
            access.connections(endpoint, is_api=True),
            access.telemetry,
            access.clock,
        )
    return GHCRRegistry(
        endpoint,
        access.connections(endpoint),
        access.telemetry,
        access.clock,
        api,
        owner_kinds(own),
    )


def _most_per_second(api_url: str) -> float | None:
    """An Enterprise Server has limits only where its administrator sets them."""
    return API_REQUESTS_PER_SECOND if is_of_github(api_url) else None


def owner_kinds(settings: GHCRSettings | None) -> dict[str, OwnerKind]:
    """By which listing each owner's packages are found."""
    if settings is None:
        return {}
    kinds: dict[str, OwnerKind] = {name: "users" for name in settings.users}
    return kinds | {name: "orgs" for name in settings.organizations}


def open_package_api(
    endpoint: Endpoint, connections: Sender, telemetry: Telemetry, clock: Clock
) -> PackageAPI:
    """endpoint: of the API. It has our credential, whose password is the token."""
    exchange = PacedExchange(endpoint, telemetry, clock, words=GITHUB_WORDS)
    sign_in = ShownToken(endpoint.credential)
    http = api_client(endpoint, exchange, connections, sign_in)
    return PackageAPI(http, exchange, api_root(endpoint.url))
