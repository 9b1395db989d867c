"""One worker process: its engine, what goes on beside that, and how it hands over what
it counts, as nobody scrapes it.
"""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from threading import Lock
from typing import Final, Protocol

from weighbridge.bootstrap.engine.assembly import (
    Delivering,
    Work,
    an_engine,
    notice_planning,
)
from weighbridge.bootstrap.registries.clients import RateLimiters
from weighbridge.bootstrap.registries.sites import KeptClients, configured_targets
from weighbridge.config import PolicySource, Settings
from weighbridge.engine.engine import Handler
from weighbridge.engine.judge.judged_batch import Judges
from weighbridge.engine.judge.policy_reload import POLL_S, PolicyReload
from weighbridge.errors import StoreError
from weighbridge.jobs.pacing.shared_pacing import SharedPaces
from weighbridge.jobs.redis.worker_register import Numbers, Series, is_of_project
from weighbridge.ports.protocols import JobQueue
from weighbridge.store.leases.validity import DatabaseClock
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

PUBLISH_S: Final = 5.0


class Sums(Protocol):
    """Where they go: `jobs.redis.worker_register.Totals`."""

    def add(self, numbers: Numbers) -> tuple[set[Series], bool]:
        """Raises OSError."""


class Publishing:
    """What one process has counted and not yet handed over."""

    def __init__(self, telemetry: Telemetry, sums: Sums) -> None:
        self._telemetry = telemetry
        self._sums = sums
        self._lock = Lock()
        self._counted: dict[Series, float] = {}
        self._seen: dict[Series, float] = {}
        # Registries whose projects this process has told of.
        self._whole: frozenset[str] = frozenset()

    def publish(self) -> None:
        """Hand over what is new since the last time, which may be nothing. Raises
        OSError where Redis is away: then all of it is handed over the next time."""
        # The last time of a process may come while the one before still waits.
        with self._lock:
            self._publish(numbers_of(self._telemetry))

    def _publish(self, now: Numbers) -> None:
        # A 0 is told too: rates are seen from the first event on.
        grown = {
            one: value - self._counted.get(one, 0.0)
            for one, value in now.counted.items()
            if value != self._counted.get(one)
        }
        # Only what has changed: another process may have seen something since.
        changed = {
            one: value
            for one, value in now.seen.items()
            if value != self._seen.get(one)
        }
        ended = self._seen.keys() - now.seen.keys()
        # Where none of a registry's projects is left, its question has failed here:
        # what others were answered stays.
        answered = _registries(filter(is_of_project, now.seen))
        vanished = frozenset(
            one
            for one in ended
            if not is_of_project(one) or _registries([one]) <= answered
        )
        for one in ended - vanished:
            del self._seen[one]
        if not grown and not changed and not vanished:
            return
        had_told = bool(self._counted)
        whole = _registries(filter(is_of_project, changed)) - self._whole
        # Of these all are told, as none was before.
        numbers = Numbers(grown, changed, vanished, whole)
        taken, was_there = self._sums.add(numbers)
        self._whole |= whole
        for one in vanished:
            del self._seen[one]
        self._counted |= {one: now.counted[one] for one in grown if one in taken}
        self._seen |= {one: now.seen[one] for one in changed if one in taken}
        if had_told and not was_there:
            # Redis was emptied: what was seen once would not be told again.
            self._seen.clear()


def _registries(of_projects: Iterable[Series]) -> frozenset[str]:
    return frozenset(dict(one.labels).get("registry", "") for one in of_projects)


def numbers_of(telemetry: Telemetry) -> Numbers:
    """Everything that crawling counts and sees, in this process."""
    counted: dict[Series, float] = {}
    seen: dict[Series, float] = {}
    families = (family for metric in telemetry.of_crawls for family in metric.collect())
    for family in families:
        numbers = seen if family.type == "gauge" else counted
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            numbers[Series(sample.name, labels)] = sample.value
    return Numbers(counted, seen)


_KEEP_TIME_S: Final = 60.0


class Distributed:
    """The parts of one process, made on the event loop that its jobs run on.

    clock: measured once already; measured again now and then
    paces: where the limits of registries are shared; closed with the rest
    sums:  where what is counted is handed over; the owner closes it after the rest
    policies: read again when their files change; None for the one that is built in
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        telemetry: Telemetry,
        jobs: JobQueue,
        clock: DatabaseClock,
        *,
        paces: SharedPaces | None = None,
        sums: Sums | None = None,
        policies: PolicySource | None = None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._telemetry = telemetry
        self._jobs = jobs
        self._clock = clock
        self._paces = paces
        self._policies = PolicyReload(policies or PolicySource(), telemetry)
        self._publishing = None if sums is None else Publishing(telemetry, sums)
        self._opened = AsyncExitStack()
        self._running: tuple[asyncio.Task[None], ...] = ()
        self.handlers: Mapping[str, Handler] = {}

    async def open(self) -> None:
        """Begin; the handlers are there then."""
        settings, database, telemetry = self._settings, self._database, self._telemetry
        paces = self._paces
        work = Work(
            targets=configured_targets(settings),
            judges=Judges(self._policies.current, notice_planning(settings)),
            clients=KeptClients(
                settings,
                database,
                telemetry,
                gates=RateLimiters(None if paces is None else paces.of),
            ),
            delivering=Delivering(settings, database, telemetry, self._clock),
            has_others=True,
        )
        running = await self._opened.enter_async_context(
            an_engine(settings, database, telemetry, self._jobs, self._clock, work)
        )
        self.handlers = running.engine.handlers
        self._running = (
            asyncio.create_task(self._keep_time()),
            asyncio.create_task(self._publish()),
            asyncio.create_task(self._watch_policies()),
        )

    async def aclose(self) -> None:
        """Close clients and threads; the database's owner closes that."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._opened.aclose()
        if self._paces is not None:
            await self._paces.aclose()
        await self._hand_over()

    async def _watch_policies(self) -> None:
        """A task and no thread: a pool may have many processes."""
        while True:
            await asyncio.sleep(POLL_S)
            await asyncio.to_thread(self._policies.poll)

    async def _publish(self) -> None:
        while True:
            await asyncio.sleep(PUBLISH_S)
            await self._hand_over()

    async def _hand_over(self) -> None:
        """Beside the jobs, none of which waits for Redis here."""
        if self._publishing is not None:
            with suppress(OSError):
                await asyncio.to_thread(self._publishing.publish)

    async def _keep_time(self) -> None:
        """Machines' clocks go apart slowly, or are put right at once."""
        while True:
            await asyncio.sleep(_KEEP_TIME_S)
            with suppress(StoreError):
                await asyncio.to_thread(self._clock.measure)
