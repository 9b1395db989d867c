"""What the client of any kind of registry is, and is opened with."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from weighbridge.config import RegistrySettings
from weighbridge.net.connection.connect import client_tls
from weighbridge.net.connections import Connections
from weighbridge.ports.protocols import Registry
from weighbridge.registry.exchange.endpoint import Endpoint
from weighbridge.registry.pacing.rate_limiter import Clock, RateLimiter
from weighbridge.telemetry import Telemetry


class KindRegistry(Registry, Protocol):
    """A `ports.Registry` that can be asked whether it is there."""

    async def ping(self) -> None:
        """Ask whether it is there and lets us in; raises as the others do."""


class KindAccess(Struct, frozen=True):
    """Besides the registry's own endpoint; a kind takes of it what it has a use for.

    gate_of:    the limits of a second host of the registry, by a name for that host
    keep_quota: the share of a quota that is left to others, 0 to 1
    settings:   its entry in the configuration, None for an address that has none
    on_certificate: told until when each certificate holds that is met
    """

    telemetry: Telemetry
    clock: Clock
    gate_of: Callable[[str], RateLimiter | None]
    keep_quota: float = 0.0
    settings: RegistrySettings | None = None
    on_certificate: Callable[[datetime], None] | None = None

    def connections(self, endpoint: Endpoint, *, is_api: bool = False) -> Connections:
        """Those of one client. is_api: its certificate is not the registry's"""
        counter = self.telemetry.registry_desync
        return Connections(
            connections=endpoint.concurrency,
            tls=client_tls(endpoint.ca_file),
            on_desync=lambda _: counter.labels(endpoint.name).inc(),
            on_certificate=None if is_api else self.on_certificate,
        )
