"""The client of Docker Hub: two hosts, two limits, one name."""

import httpx
from msgspec.structs import replace

from weighbridge.net.guard.reach import reach_of_host
from weighbridge.registry.client import RegistryClient
from weighbridge.registry.exchange.endpoint import Endpoint
from weighbridge.registry.exchange.kind_access import KindAccess
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.registry.kinds.dockerhub.hub_api import HUB_API_URL, HubAPI
from weighbridge.registry.kinds.dockerhub.hub_quota import HUB_WORDS, PullQuota
from weighbridge.registry.kinds.dockerhub.hub_registry import HubRegistry
from weighbridge.registry.kinds.dockerhub.hub_settings import DockerHubSettings
from weighbridge.registry.kinds.dockerhub.hub_sign_in import HubSignIn


def open_dockerhub(endpoint: Endpoint, access: KindAccess) -> HubRegistry:
    """One that is closed by whoever opened it. endpoint: not of the API"""
    # The registry's client comes last: what it says of itself in the metrics stays.
    settings = access.settings
    own = settings if isinstance(settings, DockerHubSettings) else None
    api_url = (own and own.api_url) or HUB_API_URL
    client = _api_client(_api_endpoint(endpoint, api_url, access), access)
    quota = PullQuota(access.keep_quota, access.clock)
    registry = DistributionRegistry(
        endpoint,
        access.transport(endpoint),
        access.telemetry,
        clock=access.clock,
        on_answer=quota.saw,
        words=HUB_WORDS,
    )
    client.counts.cost = registry.cost
    namespaces = own.listed_namespaces if own else ()
    return HubRegistry(registry, HubAPI(client, api_url), quota, namespaces)


def _api_endpoint(endpoint: Endpoint, api_url: str, access: KindAccess) -> Endpoint:
    """An address in the configuration says itself how near it is; a name is as near
    as the registry."""
    reach = reach_of_host(httpx.URL(api_url).host)
    ceiling = endpoint.ceiling if reach is None else reach
    return replace(endpoint, url=api_url, ceiling=ceiling, gate=access.gate_of("api"))


def _api_client(endpoint: Endpoint, access: KindAccess) -> RegistryClient:
    """Its endpoint has our credential, but only the sign-in shows that to anyone."""
    return RegistryClient(
        endpoint,
        access.transport(endpoint, is_api=True),
        access.telemetry,
        access.clock,
        sign_in=lambda try_token: HubSignIn(
            endpoint.url, endpoint.credential, try_token, access.clock
        ),
        words=HUB_WORDS,
    )
