"""Our client over our own connections, for real servers on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from weighbridge.net.connections import Connections
from weighbridge.net.guard.addresses import Reach
from weighbridge.registry.exchange.endpoint import Endpoint
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.registry.login.credentials import Credential
from weighbridge.telemetry import Telemetry


def a_loopback_endpoint(
    url: str,
    credential: Credential | None = None,
    *,
    trusted_realm_hosts: frozenset[str] = frozenset(),
) -> Endpoint:
    return Endpoint(
        name="local",
        url=url,
        ceiling=Reach.LOOPBACK,
        credential=credential,
        requests_per_second=None,
        concurrency=32,
        trusted_realm_hosts=trusted_realm_hosts,
    )


@asynccontextmanager
async def connected(endpoint: Endpoint) -> AsyncIterator[DistributionRegistry]:
    """A client that is closed when the block ends."""
    registry = DistributionRegistry(
        endpoint, Connections(proxy=endpoint.proxy), Telemetry()
    )
    try:
        yield registry
    finally:
        await registry.aclose()
