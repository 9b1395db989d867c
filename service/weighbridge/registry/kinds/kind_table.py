"""All kinds of registries: a new one is a folder beside this, and a line here."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeAlias

from weighbridge.ports.protocols import Registry
from weighbridge.registry.exchange.endpoint import Endpoint
from weighbridge.registry.exchange.kind_access import KindAccess
from weighbridge.registry.kinds.distribution.open_distribution import open_distribution
from weighbridge.registry.kinds.dockerhub.open_dockerhub import open_dockerhub


class KindRegistry(Registry, Protocol):
    """A `ports.Registry` that can be asked whether it is there."""

    async def ping(self) -> None:
        """Ask whether it is there and lets us in; raises as the others do."""


OpenKind: TypeAlias = Callable[[Endpoint, KindAccess], KindRegistry]
KINDS: Final[Mapping[str, OpenKind]] = {
    "distribution": open_distribution,
    "dockerhub": open_dockerhub,
}
"""What opens the client of each kind, by its name in the configuration."""
