"""Docker Hub: listings by its own API, documents and blobs by its registry.

The API tells the digests, sizes and push times of a hundred tags a page and costs no
pull. What it tells is a claim: no image is stored by it. The registry is asked for each
manifest once ever, by the digest that the API named, and never for more of them than
the quota of pulls allows (docs/decisions/0012-docker-hub-manifests.md).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import httpx
from msgspec.structs import replace

from weighbridge.domain.limits import MANIFEST_BODY_BYTES
from weighbridge.domain.registry.listing import RepositoryListing, TagPage
from weighbridge.errors import (
    DocumentError,
    ListingError,
    RateLimited,
    RegistryError,
)
from weighbridge.net.guard.reach import reach_of_host
from weighbridge.net.http1.head import Sender
from weighbridge.ports.protocols import ManifestAnswer
from weighbridge.registry.auth.authorizer import pull_scope
from weighbridge.registry.exchange.endpoint import Endpoint
from weighbridge.registry.exchange.kind_access import KindAccess
from weighbridge.registry.exchange.paced_exchange import PacedExchange, api_client
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.registry.kinds.dockerhub.hub_api import HUB_API_URL, HubAPI, HubSignIn
from weighbridge.registry.kinds.dockerhub.hub_kind import (
    OFFICIAL,
    DockerHubSettings,
    full_name,
)
from weighbridge.registry.kinds.dockerhub.hub_quota import HUB_WORDS, PullQuota
from weighbridge.registry.pacing.rate_limiter import Clock
from weighbridge.telemetry import Telemetry


class HubRegistry(DistributionRegistry):
    """`ports.Registry` of Docker Hub. Only a GET of a manifest costs a pull; `cost`
    is that of both hosts.

    namespaces: those whose repositories are discovered; there is no catalog of all
    """

    def __init__(
        self,
        endpoint: Endpoint,
        connections: Sender,
        telemetry: Telemetry,
        clock: Clock,
        api: HubAPI,
        quota: PullQuota,
        namespaces: Sequence[str] = (),
    ) -> None:
        super().__init__(
            endpoint,
            connections,
            telemetry,
            clock=clock,
            on_answer=quota.saw,
            words=HUB_WORDS,
            full_name=full_name,
        )
        self._api = api
        self._quota = quota
        self._namespaces = tuple(dict.fromkeys(namespaces))
        api.counts.cost = self.cost

    @property
    def has_quota(self) -> bool:
        return self._quota.may_run_out

    async def repositories(self) -> AsyncIterator[RepositoryListing]:
        """Pages of the namespaces, one after the other. One that cannot be listed
        does not keep the others from it: its error comes last."""
        if not self._namespaces:
            await self._ask_after()
            raise ListingError(
                "Docker Hub has no list of all repositories",
                code="no_namespaces",
                hint="name whose are meant in `namespaces`, or which in"
                " `repositories.include`",
            )
        failed: DocumentError | RegistryError | None = None
        for namespace in self._namespaces:
            try:
                async for page in self._api.repositories(namespace):
                    yield page.as_repositories()
            except (DocumentError, RegistryError) as exc:
                if isinstance(exc, RateLimited):
                    raise
                failed = failed or exc
        if failed is not None:
            raise failed

    async def _ask_after(self) -> None:
        """Whether Docker Hub is there at all, which is what is asked of a registry by
        asking for its repositories. Raises TransportError."""
        with suppress(DocumentError, RegistryError):
            await anext(self._api.repositories(OFFICIAL), None)

    async def tags(self, repository: str) -> AsyncIterator[TagPage]:
        """Pages of one repository's tags, with digests. Raises NotFound too."""
        async for page in self._api.tags(full_name(repository)):
            yield page.as_tags()

    async def get_manifest(
        self,
        repository: str,
        reference: str,
        limit_bytes: int = MANIFEST_BODY_BYTES,
    ) -> ManifestAnswer:
        """Costs a pull. Raises QuotaSpent without a request where none may be spent."""
        name = full_name(repository)
        scope = pull_scope(name)
        async with self._quota.pull(scope, lambda: self.head_manifest(name, reference)):
            try:
                return await super().get_manifest(name, reference, limit_bytes)
            except RateLimited as exc:
                if exc.retryable:
                    raise
                raise self._quota.refused(scope) from exc

    async def aclose(self) -> None:
        try:
            await self._api.aclose()
        finally:
            await super().aclose()


def open_dockerhub(endpoint: Endpoint, access: KindAccess) -> HubRegistry:
    """One that is closed by whoever opened it. endpoint: not of the API"""
    # The registry's client comes last: what it says of itself in the metrics stays.
    settings = access.settings
    own = settings if isinstance(settings, DockerHubSettings) else None
    api_url = (own and own.api_url) or HUB_API_URL
    api = open_hub_api(
        _api_endpoint(endpoint, api_url, access),
        access.connections(endpoint, is_api=True),
        access.telemetry,
        access.clock,
    )
    return HubRegistry(
        endpoint,
        access.connections(endpoint),
        access.telemetry,
        access.clock,
        api,
        PullQuota(access.keep_quota, access.clock),
        own.listed_namespaces if own else (),
    )


def open_hub_api(
    endpoint: Endpoint, connections: Sender, telemetry: Telemetry, clock: Clock
) -> HubAPI:
    """endpoint: of the API. It has our credential, which only the sign-in shows."""
    exchange = PacedExchange(endpoint, telemetry, clock, words=HUB_WORDS)
    plain = api_client(endpoint, exchange, connections)
    sign_in = HubSignIn(endpoint.url, endpoint.credential, plain, clock)
    http = api_client(endpoint, exchange, connections, sign_in)
    return HubAPI(http, exchange, endpoint.url)


def _api_endpoint(endpoint: Endpoint, api_url: str, access: KindAccess) -> Endpoint:
    """An address in the configuration says itself how near it is; a name is as near
    as the registry."""
    reach = reach_of_host(httpx.URL(api_url).host)
    ceiling = endpoint.ceiling if reach is None else reach
    return replace(endpoint, url=api_url, ceiling=ceiling, gate=access.gate_of("api"))
