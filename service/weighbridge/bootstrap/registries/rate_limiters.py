"""The gates of one process: one before each registry and credential, whoever asks."""

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from weighbridge.bootstrap.registries.targets import Target, alike
from weighbridge.bootstrap.registries.unconfigured import AddressAccess
from weighbridge.config import Settings
from weighbridge.config.settings import Pace
from weighbridge.ports.protocols import Pacing
from weighbridge.registry.pacing.clock import Clock
from weighbridge.registry.pacing.rate_limiter import RateLimiter

SharedPace: TypeAlias = Callable[[str, Pace], Pacing]
"""What is shared with other processes, by the registry's name and its limits."""


class Limited(Struct, frozen=True):
    """What the limits are of: a registry, as it sees us.

    name:   the first of the entries that name this address with this credential
    access: of an address that is not configured
    pace:   the lowest limits of these entries
    """

    name: str
    url: str
    access: AddressAccess
    pace: Pace


def limited(settings: Settings, target: Target, *, loopback: bool) -> Limited:
    """What asking this target is limited by. Several entries with the same address and
    credential are one client for the registry, and so for the limits."""
    entries = alike(settings, target)
    paces = [settings.pace_of(e, loopback=loopback) for e in entries]
    if not entries:
        pace = settings.pace_of(None, loopback=loopback)
        return Limited(target.name, target.url, target.access, pace)
    rates = [p.requests_per_second for p in paces if p.requests_per_second is not None]
    pace = Pace(min(rates, default=None), min(p.concurrency for p in paces))
    return Limited(entries[0].name, entries[0].url, target.access, pace)


class RateLimiters:
    """They live as long as the process, so that a client that is opened anew does not
    forget what the registry asked for."""

    def __init__(self, shared: SharedPace | None = None) -> None:
        self._shared = shared
        self._gates: dict[tuple[str, str, AddressAccess, str], RateLimiter] = {}

    def of(self, of: Limited, clock: Clock, part: str = "") -> RateLimiter:
        """The gate of all clients with these limits.

        part: of a registry that has several hosts, each with its own limits
        """
        key = (of.name, of.url, of.access, part)
        gate = self._gates.get(key)
        if gate is None:
            # No registry's name holds a colon.
            name = f"{of.name}:{part}" if part else of.name
            gate = self._gates[key] = RateLimiter(
                concurrency=of.pace.concurrency,
                requests_per_second=of.pace.requests_per_second,
                clock=clock,
                pacing=None if self._shared is None else self._shared(name, of.pace),
            )
        return gate
