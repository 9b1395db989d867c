"""The jobs that ask a registry: discover, crawl one repository, measure."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from weighbridge.audit.context import PassContext, pass_context
from weighbridge.audit.discover import discover
from weighbridge.audit.heartbeat import Heartbeat
from weighbridge.audit.looking import look_at_one
from weighbridge.audit.measure import measure_registry
from weighbridge.audit.pass_outcome import PassOutcome
from weighbridge.audit.presence import answers
from weighbridge.audit.progress import Progress
from weighbridge.audit.push_desk import PushDesk
from weighbridge.audit.stale import refresh_stale
from weighbridge.audit.writer import Writer
from weighbridge.bootstrap.asking import Clients, asking
from weighbridge.bootstrap.clients import Connected
from weighbridge.bootstrap.crawling import registry_entry
from weighbridge.bootstrap.distributed.asked import Asked
from weighbridge.bootstrap.distributed.shared_jobs import SharedJobs
from weighbridge.bootstrap.judges import Judges
from weighbridge.config import RegistrySettings, Settings
from weighbridge.domain.dispute import Source
from weighbridge.errors import StaleFence
from weighbridge.jobs.names import DELIVER, DISCOVER, MEASURE, SETTLE, TICK
from weighbridge.ports import JobQueue, Registry
from weighbridge.store.due import find_reachable
from weighbridge.store.jobs import Job, due_jobs, make_due
from weighbridge.store.registries import find_registry_id, note_registry
from weighbridge.telemetry import Telemetry

RESUME_S: Final = 6 * 3_600.0
"""A repository with 100,000 tags is looked at in slices, by several workers in turn."""
UNREACHABLE: Final = timedelta(minutes=1)
"""A registry that could not be reached is asked after so soon, at most."""


@dataclass(frozen=True, slots=True)
class Looks:
    """What one worker process needs to ask registries.

    owner: this process, as `process_mark.this_process` names it
    desk:  where the passes of a registry look after what is pushed meanwhile
    """

    settings: Settings
    writer: Writer
    telemetry: Telemetry
    clients: Clients
    heartbeat: Heartbeat
    shared: SharedJobs
    jobs: JobQueue
    judges: Judges
    clock: Callable[[], datetime]
    owner: str
    lease_s: float
    desk: Callable[[RegistrySettings], PushDesk | None] = lambda _: None

    async def discover(self, asked: Asked) -> None:
        """Find out what a registry has, if that is due."""
        every = timedelta(seconds=self.settings.interval_of(asked.registry))
        job = Job(DISCOVER, asked.registry.name)
        async with self.shared.doing(job, every) as claimed:
            if claimed is None:
                return
            self.telemetry.crawl_runs.labels(asked.registry.name).inc()
            async with self._asking(asked) as connected:
                found = await discover(
                    connected.registry,
                    registry_entry(self.settings, asked.target, connected.seen),
                    asked.scope,
                    self.writer,
                    partial(self.judges.of, asked.registry),
                    self.clock,
                )
            if found.state != "ok":
                self.telemetry.crawl_failures.labels(
                    asked.registry.name, found.state
                ).inc()
            if found.state == "unreachable":
                await self.shared.put_off(claimed, min(UNREACHABLE, every))
            elif found.wait_s > every.total_seconds():
                await self.shared.put_off(claimed, timedelta(seconds=found.wait_s))
        # What it has found is due, and nobody need wait for the next beat.
        self.jobs.put(TICK, "")
        _log().info(
            "registry listed",
            registry=asked.registry.name,
            state=found.state,
            reason=found.reason or None,
            repositories=found.repositories,
            removals_held=found.held or None,
        )

    async def crawl(self, asked: Asked) -> None:
        """Look at one repository, if that is due."""
        name = asked.registry.name
        found = await self.writer.read(find_reachable, name, asked.repository)
        if found is None:
            return
        registry_id, repository_id = found
        async with self._asking(asked) as connected:
            registry = connected.registry
            try:
                outcome = await look_at_one(
                    self._context(asked, registry),
                    self.heartbeat,
                    repository_id,
                    owner=self.owner,
                    lease_s=self.lease_s,
                    only_due=True,
                )
            except StaleFence:
                return  # Whoever has taken it over goes on with it.
            if outcome is None:
                return
            if outcome.is_silent or outcome.result.state == "unreachable":
                await self._note_silence(asked, registry, registry_id)
        await self._ask_for_more(name, outcome)

    async def measure(self, asked: Asked) -> None:
        """Measure what is not measured yet, if that is due."""
        name = asked.registry.name
        registry_id = await self.writer.read(find_registry_id, name)
        if registry_id is None:
            return
        every = timedelta(seconds=self.settings.interval_of(asked.registry))
        job = Job(MEASURE, name)
        async with self.shared.doing(job, every) as claimed:
            if claimed is None:
                return
            async with self._asking(asked) as connected:
                await measure_registry(
                    connected.registry,
                    registry_id,
                    self.writer,
                    Progress(),
                    self.clock,
                    partial(self._count_conflicts, name),
                )
            await refresh_stale(
                self.writer,
                registry_id,
                partial(self.judges.of, asked.registry),
                self.clock,
            )
            await self.writer.settle()
        if await self.writer.read(due_jobs, [job], self.clock()):
            # More came while it was done. Who took that message found it in our hands.
            self.jobs.put(MEASURE, name)

    def _context(self, asked: Asked, registry: Registry) -> PassContext:
        name = asked.registry.name

        def count(looked_up: int, unchanged: int) -> None:
            self.telemetry.crawl_manifests.labels(name).inc(looked_up)
            self.telemetry.crawl_manifests_unchanged.labels(name).inc(unchanged)

        return pass_context(
            registry,
            asked.scope,
            self.writer,
            Progress(),
            self.clock,
            interval_s=self.settings.interval_of(asked.registry),
            count_manifests=count,
            judging=partial(self.judges.of, asked.registry),
            desk=self.desk(asked.registry),
            resume_s=RESUME_S,
            count_conflicts=partial(self._count_conflicts, name),
        )

    def _count_conflicts(self, name: str, source: Source, learned: int) -> None:
        self.telemetry.size_conflicts.labels(name, source).inc(learned)

    def _asking(self, asked: Asked) -> AbstractAsyncContextManager[Connected]:
        return asking(self.clients, self.writer, asked.registry)

    async def _note_silence(
        self, asked: Asked, registry: Registry, registry_id: int
    ) -> None:
        """One more question decides whether the registry is gone, and with it all
        that is due there, or only this repository."""
        if await answers(registry):
            return
        now = self.clock()
        await self.writer.write(
            note_registry,
            registry_id,
            state="unreachable",
            reason="unreachable",
            now=now,
        )
        every = timedelta(seconds=self.settings.interval_of(asked.registry))
        job = Job(DISCOVER, asked.registry.name)
        await self.writer.write(make_due, job, now + min(UNREACHABLE, every))

    async def _ask_for_more(self, name: str, outcome: PassOutcome) -> None:
        """What a pass leaves to others: layers to be measured, people to be told, sums
        to be settled."""
        result = outcome.result
        if result.tags_new or result.tags_moved or result.tags_gone:
            await self.writer.write(make_due, Job(MEASURE, name), self.clock())
            self.jobs.put(MEASURE, name)
            self.jobs.put(DELIVER, "")
        if not self.writer.settles_at_once:
            self.jobs.put(SETTLE, "")


def _log() -> "structlog.stdlib.BoundLogger":
    log: structlog.stdlib.BoundLogger = structlog.get_logger("weighbridge.crawl")
    return log
