"""The client of Docker Hub: two hosts, two limits, one name."""

from collections.abc import Callable
from datetime import datetime

import httpx
from msgspec.structs import replace

from weighbridge.bootstrap.registries.targets import Target
from weighbridge.net.connection.tls import client_tls
from weighbridge.net.guard.reach import reach_of_host
from weighbridge.net.transport import Transport
from weighbridge.registry.client import RegistryClient
from weighbridge.registry.exchange.endpoint import Endpoint
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.registry.kinds.dockerhub.hub_api import HUB_API_URL, HubAPI
from weighbridge.registry.kinds.dockerhub.hub_quota import PullQuota
from weighbridge.registry.kinds.dockerhub.hub_registry import HubRegistry
from weighbridge.registry.kinds.dockerhub.hub_sign_in import HubSignIn
from weighbridge.registry.pacing.clock import Clock
from weighbridge.registry.pacing.rate_limiter import RateLimiter
from weighbridge.telemetry import Telemetry


def docker_hub(
    target: Target,
    endpoint: Endpoint,
    telemetry: Telemetry,
    *,
    keep: float,
    clock: Clock | None = None,
    api_gate: RateLimiter | None = None,
    on_certificate: Callable[[datetime], None] | None = None,
) -> HubRegistry:
    """endpoint: the registry's; keep: the share of the quota that is left to others;
    api_gate: what is shared with others that ask the API; None: nothing;
    on_certificate: of the registry's, see `Transport`"""
    clock = Clock() if clock is None else clock
    configured = target.settings
    api_url = (configured.api_url if configured else None) or HUB_API_URL
    # The registry's client comes last: what it says of itself in the metrics stays.
    api_endpoint = replace(_api_endpoint(endpoint, api_url), gate=api_gate)
    client = _api_client(api_endpoint, telemetry, clock)
    quota = PullQuota(keep, clock)
    registry = DistributionRegistry(
        endpoint,
        a_transport(endpoint, telemetry, on_certificate),
        telemetry,
        clock=clock,
        on_answer=quota.saw,
    )
    client.counts.cost = registry.cost
    namespaces = configured.listed_namespaces if configured else ()
    return HubRegistry(registry, HubAPI(client, api_url), quota, namespaces)


def a_transport(
    endpoint: Endpoint,
    telemetry: Telemetry,
    on_certificate: Callable[[datetime], None] | None = None,
) -> Transport:
    """Connections of one client."""
    return Transport(
        connections=endpoint.concurrency,
        tls=client_tls(endpoint.ca_file),
        on_desync=lambda _: telemetry.registry_desync.labels(endpoint.name).inc(),
        on_certificate=on_certificate,
    )


def _api_endpoint(endpoint: Endpoint, api_url: str) -> Endpoint:
    """An address in the configuration says itself how near it is; a name is as near
    as the registry."""
    reach = reach_of_host(httpx.URL(api_url).host)
    return replace(
        endpoint, url=api_url, ceiling=endpoint.ceiling if reach is None else reach
    )


def _api_client(
    endpoint: Endpoint, telemetry: Telemetry, clock: Clock
) -> RegistryClient:
    """Its endpoint has our credential, but only the sign-in shows that to anyone."""
    return RegistryClient(
        endpoint,
        a_transport(endpoint, telemetry),
        telemetry,
        clock,
        sign_in=lambda try_token: HubSignIn(
            endpoint.url, endpoint.credential, try_token, clock
        ),
    )
