"""The client of Docker Hub: two hosts, two limits, one name."""

import httpx
from msgspec.structs import replace

from weighbridge.net.guard.reach import reach_of_host
from weighbridge.net.http1.request import Sender
from weighbridge.registry.exchange.endpoint import Endpoint
from weighbridge.registry.exchange.kind_access import KindAccess
from weighbridge.registry.exchange.paced_exchange import PacedExchange
from weighbridge.registry.exchange.paced_transport import api_client
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.registry.kinds.dockerhub.hub_api import HUB_API_URL, HubAPI
from weighbridge.registry.kinds.dockerhub.hub_quota import HUB_WORDS, PullQuota
from weighbridge.registry.kinds.dockerhub.hub_registry import HubRegistry
from weighbridge.registry.kinds.dockerhub.hub_settings import DockerHubSettings
from weighbridge.registry.kinds.dockerhub.hub_sign_in import HubSignIn
from weighbridge.registry.pacing.clock import Clock
from weighbridge.telemetry import Telemetry


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
    quota = PullQuota(access.keep_quota, access.clock)
    registry = DistributionRegistry(
        endpoint,
        access.connections(endpoint),
        access.telemetry,
        clock=access.clock,
        on_answer=quota.saw,
        words=HUB_WORDS,
    )
    api.counts.cost = registry.cost
    namespaces = own.listed_namespaces if own else ()
    return HubRegistry(registry, api, quota, namespaces)


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
