"""A registry that has nothing besides the specification, as a kind."""

from typing import TYPE_CHECKING, Final

from weighbridge.config import RegistrySettings
from weighbridge.registry.exchange.registry_kind import RegistryKind

if TYPE_CHECKING:
    from weighbridge.registry.exchange.endpoint import Endpoint
    from weighbridge.registry.exchange.kind_access import KindAccess, KindRegistry


def _open(endpoint: "Endpoint", access: "KindAccess") -> "KindRegistry":
    """One that is closed by whoever opened it."""
    # Late: who only reads the configuration asks no registry.
    from weighbridge.registry.kinds.distribution.distribution_registry import (
        DistributionRegistry,
    )

    return DistributionRegistry(
        endpoint, access.connections(endpoint), access.telemetry, clock=access.clock
    )


DISTRIBUTION: Final = RegistryKind(
    settings=RegistrySettings,
    open=_open,
    # Its storage driver addresses blobs by digest under one root.
    storage_scope="registry",
)
