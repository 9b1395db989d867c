"""The client of a registry that has nothing besides the specification."""

from weighbridge.registry.exchange.endpoint import Endpoint
from weighbridge.registry.exchange.kind_access import KindAccess
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)


def open_distribution(endpoint: Endpoint, access: KindAccess) -> DistributionRegistry:
    """One that is closed by whoever opened it."""
    return DistributionRegistry(
        endpoint, access.transport(endpoint), access.telemetry, clock=access.clock
    )
