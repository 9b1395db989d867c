"""Crawls a registry: discovers repositories, looks at each, measures their layers.

Start reading here: a tag's journey begins in `Crawl.run`.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from weighbridge.audit.burials import bury_missing
from weighbridge.audit.context import pass_context
from weighbridge.audit.cost_notes import CostNotes
from weighbridge.audit.crawl_report import RegistryCrawl, state_of
from weighbridge.audit.crew import Crew
from weighbridge.audit.discovery import Discovery
from weighbridge.audit.heartbeat import Heartbeat
from weighbridge.audit.judging import Judging
from weighbridge.audit.looking import look_at_one, when_free
from weighbridge.audit.measure import measure_registry
from weighbridge.audit.outcomes import Outcomes
from weighbridge.audit.presence import answers
from weighbridge.audit.progress import Progress
from weighbridge.audit.push_desk import PushDesk
from weighbridge.audit.scope import Scope
from weighbridge.audit.stale import refresh_stale
from weighbridge.audit.taking_up import TakingUp
from weighbridge.audit.writer import Writer
from weighbridge.domain.dispute import Source
from weighbridge.domain.document import Problem
from weighbridge.domain.report import RegistryState
from weighbridge.errors import (
    DocumentError,
    RegistryError,
    StaleFence,
    TransportError,
    WeighbridgeError,
)
from weighbridge.ports import Registry
from weighbridge.store.crawls import CrawlRecord
from weighbridge.store.process_mark import this_process
from weighbridge.store.registries import (
    RegistryEntry,
    note_registry,
    put_registry,
)
from weighbridge.store.reports import weighed
from weighbridge.store.repositories import find_troubled
from weighbridge.telemetry import Telemetry

REPOSITORIES_AT_ONCE: Final = 4
"""Small ones take turns with the database and the registry; a large one fills all
places by itself, and the next one's listing is read meanwhile."""


class Crawl:
    """One crawl of one registry.

    owner: this process, as `process_mark.this_process` names it
    leaves_waiting: whether repositories from which the registry has sent us away are
           left alone until a look can succeed
    judging: what images are judged by at this moment; None: by nothing
    """

    def __init__(
        self,
        registry: Registry,
        entry: RegistryEntry,
        scope: Scope,
        writer: Writer,
        progress: Progress,
        clock: Callable[[], datetime],
        *,
        telemetry: Telemetry | None = None,
        warnings: Sequence[Problem] = (),
        owner: str | None = None,
        leaves_waiting: bool = False,
        desk: PushDesk | None = None,
        judging: Callable[[], Judging] | None = None,
    ) -> None:
        self._telemetry = telemetry or Telemetry()
        self._warnings = tuple(warnings)
        self._registry = registry
        self._entry = entry
        self._scope = scope
        self._writer = writer
        self._progress = progress
        self._clock = clock
        self._owner = this_process() if owner is None else owner
        self._outcomes = Outcomes(entry.name)
        self._taking_up = TakingUp(
            writer, clock, self._owner, leaves_waiting=leaves_waiting
        )
        self._before = replace(registry.cost)
        self._notes = CostNotes(registry, writer)
        self._discovery = Discovery(registry, scope, writer, clock)
        self._context = pass_context(
            registry,
            scope,
            writer,
            progress,
            clock,
            interval_s=entry.interval_s,
            count_manifests=self._count_manifests,
            judging=judging,
            desk=desk,
            count_conflicts=self._count_conflicts,
        )

    async def run(self, *, measure: bool = True) -> RegistryCrawl:
        """Discover, look, measure. Whatever the registry does is in the result;
        only StoreError is raised.

        A crawl that was cut off is taken up: what it had been through stays as it
        was left. Only a look at all of a registry can be taken up, not one at some
        repositories that somebody named.
        """
        self._progress.registry = self._entry.name
        self._progress.url = self._entry.url
        self._telemetry.crawl_runs.labels(self._entry.name).inc()
        registry_id = await self._writer.write(put_registry, self._entry, self._clock())
        record = await self._taking_up.begin(
            registry_id, is_whole=self._scope.only is None
        )
        self._heartbeat = Heartbeat(
            self._writer, self._clock, also=self._taking_up.renewal(registry_id)
        )
        beating = asyncio.create_task(self._heartbeat.beat())
        try:
            async with self._notes.kept(registry_id):
                broken = await self._look_at_all(registry_id)
                held = await self._finish(registry_id, broken, measure=measure)
        finally:
            beating.cancel()
        state, reason = self._state(broken)
        if state != "ok":
            self._telemetry.crawl_failures.labels(self._entry.name, state).inc()
        await self._writer.write(
            note_registry, registry_id, state=state, reason=reason, now=self._clock()
        )
        await self._taking_up.end(registry_id, record)
        return await self._report(state, reason, record, held)

    async def _finish(
        self,
        registry_id: int,
        broken: WeighbridgeError | None,
        *,
        measure: bool,
    ) -> int:
        """What follows when every repository was looked at; how many removals wait."""
        held = 0
        if not isinstance(broken, TransportError) and not self._outcomes.is_unreachable:
            held = await self._bury(registry_id)
            if measure:
                await self._measure(registry_id)
        await refresh_stale(
            self._writer, registry_id, self._context.judging, self._clock
        )
        await self._writer.settle()
        return held

    def _state(self, broken: WeighbridgeError | None) -> tuple[RegistryState, str]:
        if broken is not None:
            return state_of(broken)
        if self._outcomes.is_unreachable:
            return "unreachable", "unreachable"
        return "ok", ""

    def _count_manifests(self, looked_up: int, unchanged: int) -> None:
        name = self._entry.name
        self._telemetry.crawl_manifests.labels(name).inc(looked_up)
        self._telemetry.crawl_manifests_unchanged.labels(name).inc(unchanged)

    def _count_conflicts(self, source: Source, learned: int) -> None:
        counter = self._telemetry.size_conflicts
        counter.labels(self._entry.name, source).inc(learned)

    async def _look_at_all(self, registry_id: int) -> WeighbridgeError | None:
        """Look at repositories while they are being discovered; the error that
        ended discovery early."""
        broken: WeighbridgeError | None = None
        async with Crew() as crew:
            try:
                await self._begin_looks(registry_id, crew)
            except (DocumentError, RegistryError, TransportError) as exc:
                broken = exc
                self._outcomes.fault(None, exc)
        if broken is None and self._outcomes.is_in_doubt:
            await self._find_out()
        return broken

    async def _find_out(self) -> None:
        """Whether the registry is still there, by one more question."""
        if not await answers(self._registry):
            self._outcomes.note_gone()

    async def _begin_looks(self, registry_id: int, crew: Crew) -> None:
        slots = asyncio.Semaphore(REPOSITORIES_AT_ONCE)
        known = 0
        try:
            async for page in self._discovery.pages(registry_id):
                known += len(page)
                for name, repository_id in page.items():
                    if self._taking_up.leaves_alone(repository_id, self._outcomes):
                        self._progress.repositories_done += 1
                    else:
                        await slots.acquire()
                        crew.spawn(self._look(name, repository_id, slots))
        finally:
            self._progress.repositories_known = known

    async def _look(
        self, name: str, repository_id: int, slots: asyncio.Semaphore
    ) -> None:
        """One pass, whose failure stays its own."""
        try:
            if self._outcomes.is_unreachable:
                return
            self._progress.now = name
            outcome = await when_free(
                lambda: look_at_one(
                    self._context, self._heartbeat, repository_id, owner=self._owner
                )
            )
        except StaleFence as exc:
            self._outcomes.lost(name, exc)
            return
        finally:
            slots.release()
        self._outcomes.add(repository_id, name, outcome)
        self._progress.repositories_done += 1

    async def _bury(self, registry_id: int) -> int:
        held = await bury_missing(
            self._writer,
            registry_id,
            self._discovery.catalog,
            self._scope,
            self._context.judging,
            self._clock,
        )
        if held:
            self._outcomes.note(
                "removals_held",
                f"{held} repositories are missing at once; they are kept until "
                "another crawl finds the same",
            )
        return held

    async def _measure(self, registry_id: int) -> None:
        left = await measure_registry(
            self._registry,
            registry_id,
            self._writer,
            self._progress,
            self._clock,
            self._count_conflicts,
        )
        if left:
            layers = "1 layer" if left == 1 else f"{left:,} layers"
            self._outcomes.note("not_measured", f"{layers} could not be measured now")

    async def _report(
        self, state: RegistryState, reason: str, record: CrawlRecord, held: int
    ) -> RegistryCrawl:
        outcomes = self._outcomes
        ids = outcomes.repository_ids
        images, weighed_bytes = await self._writer.read(weighed, ids)
        troubled = await self._writer.read(find_troubled, ids)
        cost = self._registry.cost
        self._progress.requests = cost.requests
        self._progress.bytes_read = cost.bytes_read
        return RegistryCrawl(
            name=self._entry.name,
            url=self._entry.url,
            state=state,
            reason=reason,
            repositories=outcomes.complete + outcomes.partial + outcomes.failed,
            complete=outcomes.complete,
            partial=outcomes.partial,
            failed=outcomes.failed,
            tags=outcomes.tags,
            images=images,
            requests=cost.requests - self._before.requests,
            bytes_read=cost.bytes_read - self._before.bytes_read,
            weighed_bytes=weighed_bytes,
            faults=tuple(outcomes.faults),
            warnings=tuple(problem.message for problem in self._warnings),
            resumed_at=record.since if record.is_resumed else None,
            taken_over=outcomes.taken_over,
            held=held,
            troubled=tuple(troubled),
        )
