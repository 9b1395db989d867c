"""Crawls by a client with other deadlines or another clock than the service's own."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec.structs import replace

from support.crawling import Yard
from support.fake_clock import FakeClock
from support.faulty_crawls import NAME, CrawledDatabase
from support.real_registry import a_loopback_endpoint
from weighbridge.bootstrap.databases import ready_database
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl
from weighbridge.net.connections import Connections
from weighbridge.net.http1.answer import HTTPAnswer
from weighbridge.net.http1.head import HTTPRequest
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.registry.pacing.rate_limiter import Clock
from weighbridge.store.registries.registry_rows import RegistryEntry


class ShortDeadline:
    """Our connections, with less patience than their caller asks for."""

    def __init__(self, deadline_s: float) -> None:
        self._connections = Connections()
        self._deadline_s = deadline_s

    async def send(self, request: HTTPRequest) -> HTTPAnswer:
        hasty = replace(request, deadline_s=self._deadline_s)
        return await self._connections.send(hasty)

    async def aclose(self) -> None:
        await self._connections.aclose()


@dataclass(frozen=True, slots=True)
class Hasty:
    """How a crawl differs from the service's own.

    deadline_s: of each request
    clock:      of the registry's client, for waits and dates: one that does not
                really wait
    """

    deadline_s: float = 60.0
    clock: Clock = field(default_factory=lambda: FakeClock().clock)

    def crawl(self, database: CrawledDatabase, url: str) -> RegistryCrawl:
        """One crawl of all repositories."""
        return asyncio.run(self._crawl(database, url))

    async def _crawl(self, database: CrawledDatabase, url: str) -> RegistryCrawl:
        registry = DistributionRegistry(
            a_loopback_endpoint(url),
            ShortDeadline(self.deadline_s),
            database.telemetry,
            clock=self.clock,
        )
        entry = RegistryEntry(NAME, "distribution", url, "registry", "loopback", 3600)
        try:
            with ready_database(database.settings()) as opened:
                yard = Yard(opened, entry, database.now)
                return await yard.crawl(registry, measure=True)
        finally:
            await registry.aclose()


def timed(call: Callable[[], RegistryCrawl]) -> tuple[RegistryCrawl, float]:
    """What it returns, and the seconds that it took."""
    began = time.monotonic()
    return call(), time.monotonic() - began
