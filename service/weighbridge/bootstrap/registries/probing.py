"""Asks a configured registry one small question, for whoever scrapes `/probe`."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Final, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from weighbridge.bootstrap.registries.clients import (
    OpenClient,
    RateLimiters,
    registry_client,
)
from weighbridge.bootstrap.registries.targets import Target
from weighbridge.config import RegistrySettings, Settings
from weighbridge.domain.registry.rate_limit import Probe
from weighbridge.errors import StoreError, UsageError, WeighbridgeError
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

KEPT_S: Final = 60.0
"""So long an answer is told again: however often it is scraped, a registry is asked
once a minute."""
DEADLINE_S: Final = 8.0
"""Prometheus gives a scrape ten seconds, if nothing else is said."""

Paces: TypeAlias = Callable[[], AbstractAsyncContextManager[RateLimiters | None]]
"""What is shared with other processes that ask the same registry, for one probe."""


@asynccontextmanager
async def alone() -> AsyncIterator[RateLimiters | None]:
    """Nothing: this is the only process."""
    yield None


class _KeptProbe(Struct):
    """What is known of one registry. Whoever holds `turn` may ask it."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    probe: Probe | None = None
    asked_at: float = float("-inf")


class Probes:
    """Probes by the names of configured registries.

    It asks what a ping costs: `GET /v2/`, and a token if the registry wants one; one at
    a time a registry, in its pace, with its credentials and within its address class.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        telemetry: Telemetry,
        paces: Paces = alone,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._settings = settings
        self._database = database
        self._telemetry = telemetry
        self._paces = paces
        self._clock = clock
        self._monotonic = monotonic
        self._deadline_s = deadline_s
        self._kept: dict[str, _KeptProbe] = {}

    async def __call__(self, name: str) -> Probe:
        """The probe of this registry, at most a minute old.

        Raises UsageError(unknown_registry), and asks nobody, where no registry has
        exactly this name.
        """
        registry = self._settings.find_registry(name)
        if registry is None:
            raise UsageError(
                "no registry of this name is configured", code="unknown_registry"
            )
        kept = self._kept.setdefault(registry.name, _KeptProbe())
        async with kept.turn:
            if kept.probe is None or self._monotonic() - kept.asked_at >= KEPT_S:
                kept.probe = await self._probed(registry)
                kept.asked_at = self._monotonic()
            return kept.probe

    async def _probed(self, registry: RegistrySettings) -> Probe:
        began, failure = self._monotonic(), ""
        certified: list[datetime] = []
        connected: OpenClient | None = None
        try:
            async with (
                asyncio.timeout(self._deadline_s),
                self._paces() as gates,
                registry_client(
                    self._settings,
                    Target(registry.name, registry.url, registry),
                    self._telemetry,
                    database=self._database,
                    gates=gates,
                    on_certificate=certified.append,
                ) as connected,
            ):
                await connected.ping()
        except StoreError:
            raise  # That is our fault, and says nothing about the registry.
        except TimeoutError:
            failure = "deadline"
        except WeighbridgeError as exc:
            failure = exc.code
        probe = Probe(
            probed_at=self._clock(),
            failure=failure,
            seconds=self._monotonic() - began,
            is_encrypted=registry.url.startswith("https://"),
            signs_in=registry.signs_in,
            certified_until=min(certified, default=None),
        )
        return probe if connected is None else _with_cost(probe, connected)


def _with_cost(probe: Probe, connected: OpenClient) -> Probe:
    cost = connected.registry.cost
    return replace(
        probe,
        requests=dict(cost.by_operation),
        bytes_read=cost.bytes_read,
        rate_limit=connected.registry.rate_limit,
    )
