"""Crawls a registry: discovers repositories, looks at each, measures their layers.

Start reading here: a tag's journey begins in `Crawl.run`.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from weighbridge.audit.crawl_report import (
    CrawlFault,
    RegistryCrawl,
    state_of,
)
from weighbridge.audit.discovery import Discovery
from weighbridge.audit.lookup import KnownDigests
from weighbridge.audit.measure import measure_registry
from weighbridge.audit.progress import Progress
from weighbridge.audit.read import Reader
from weighbridge.audit.repository_pass import (
    PassContext,
    PassOutcome,
    RepositoryPass,
)
from weighbridge.audit.scope import Scope
from weighbridge.audit.together import cancel
from weighbridge.audit.writer import Writer
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
from weighbridge.store.images import find_known
from weighbridge.store.registries import (
    RegistryEntry,
    note_cost,
    note_registry,
    put_registry,
)
from weighbridge.store.reports import weighed
from weighbridge.store.repositories import (
    claim,
    forget_if_never_seen,
    release,
)
from weighbridge.store.summaries import refresh_if_stale, stale_repositories
from weighbridge.telemetry import Telemetry

REPOSITORIES_AT_ONCE: Final = 4
UNREACHABLE_IN_A_ROW: Final = 3
"""So many repositories fail for want of a connection: the rest are not asked."""
LEASE_S: Final = 60
"""Renewed by each chunk that is kept; so long a killed crawl blocks the next."""


@dataclass(slots=True)
class _Outcomes:
    """Gathered from the passes of one crawl."""

    repository_ids: list[int] = field(default_factory=list)
    complete: int = 0
    partial: int = 0
    failed: int = 0
    tags: int = 0
    unreachable_in_a_row: int = 0
    faults: list[CrawlFault] = field(default_factory=list)


class Crawl:
    """One crawl of one registry."""

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
    ) -> None:
        self._telemetry = telemetry or Telemetry()
        self._warnings = tuple(warnings)
        self._registry = registry
        self._entry = entry
        self._scope = scope
        self._writer = writer
        self._progress = progress
        self._clock = clock
        self._outcomes = _Outcomes()
        self._before = replace(registry.cost)
        known = KnownDigests(lambda digests: writer.read(find_known, digests))
        self._context = PassContext(
            registry=registry,
            reader=Reader(registry, known),
            writer=writer,
            progress=progress,
            clock=clock,
            wants_tag=scope.wants_tag,
            platforms=scope.platforms,
            interval_s=entry.interval_s,
            count_manifests=self._count_manifests,
        )

    async def run(self, *, measure: bool = True) -> RegistryCrawl:
        """Discover, look, measure. Whatever the registry does is in the result;
        only StoreError is raised."""
        self._progress.registry = self._entry.name
        self._progress.url = self._entry.url
        self._telemetry.crawl_runs.labels(self._entry.name).inc()
        registry_id = await self._writer.write(put_registry, self._entry, self._clock())
        try:
            broken = await self._look_at_all(registry_id)
            if measure and not isinstance(broken, TransportError):
                await self._measure(registry_id)
            await self._refresh_stale(registry_id)
        finally:
            # Also where the crawl is interrupted: it was asked all the same.
            await asyncio.shield(self._note_cost(registry_id))
        state, reason = self._state(broken)
        if state != "ok":
            self._telemetry.crawl_failures.labels(self._entry.name, state).inc()
        await self._writer.write(
            note_registry, registry_id, state=state, reason=reason, now=self._clock()
        )
        return await self._report(state, reason)

    async def _note_cost(self, registry_id: int) -> None:
        cost = self._registry.cost
        await self._writer.write(
            note_cost,
            registry_id,
            requests=cost.requests - self._before.requests,
            bytes_read=cost.bytes_read - self._before.bytes_read,
        )

    def _state(self, broken: WeighbridgeError | None) -> tuple[RegistryState, str]:
        if broken is not None:
            return state_of(broken)
        if self._outcomes.unreachable_in_a_row >= UNREACHABLE_IN_A_ROW:
            return "unreachable", "unreachable"
        return "ok", ""

    def _count_manifests(self, looked_up: int, unchanged: int) -> None:
        name = self._entry.name
        self._telemetry.crawl_manifests.labels(name).inc(looked_up)
        self._telemetry.crawl_manifests_unchanged.labels(name).inc(unchanged)

    async def _look_at_all(self, registry_id: int) -> WeighbridgeError | None:
        """Look at repositories while they are being discovered; the error that
        ended discovery early."""
        tasks: set[asyncio.Task[None]] = set()
        slots = asyncio.Semaphore(REPOSITORIES_AT_ONCE)
        broken: WeighbridgeError | None = None
        known = 0
        try:
            discovery = Discovery(
                self._registry, self._scope, self._writer, self._clock
            )
            async for page in discovery.pages(registry_id):
                known += len(page)
                for name, repository_id in page.items():
                    await slots.acquire()
                    tasks = _still_running(tasks)
                    task = asyncio.create_task(self._look(name, repository_id))
                    task.add_done_callback(lambda _: slots.release())
                    tasks.add(task)
        except (DocumentError, RegistryError, TransportError) as exc:
            broken = exc
            self._fault(None, None, exc)
        except BaseException:
            await cancel(tasks)
            raise
        self._progress.repositories_known = known
        await _wait_for(tasks)
        return broken

    async def _look(self, name: str, repository_id: int) -> None:
        """One pass, whose failure stays its own."""
        if self._outcomes.unreachable_in_a_row >= UNREACHABLE_IN_A_ROW:
            return
        self._progress.now = name
        try:
            outcome = await self._pass(repository_id)
        except StaleFence as exc:
            self._outcomes.partial += 1
            self._fault(name, None, exc)
            return
        if outcome.result.state == "missing":
            await self._writer.write(forget_if_never_seen, repository_id)
        self._outcomes.repository_ids.append(repository_id)
        self._count(name, outcome)
        self._progress.repositories_done += 1

    async def _pass(self, repository_id: int) -> PassOutcome:
        """Claim the repository, look, and give it back whatever happens."""
        claimed = await self._writer.write(
            claim, repository_id, now=self._clock(), lease_s=LEASE_S
        )
        if claimed is None:
            raise StaleFence(
                "another process is looking at it now", code="busy", retryable=True
            )
        try:
            return await RepositoryPass(self._context, claimed).run()
        except BaseException:
            await asyncio.shield(self._writer.write(release, claimed))
            raise

    def _count(self, name: str, outcome: PassOutcome) -> None:
        outcomes = self._outcomes
        result = outcome.result
        outcomes.tags += result.tags_seen
        if result.state == "ok":
            outcomes.complete += 1
        elif result.state == "partial":
            outcomes.partial += 1
        else:
            outcomes.failed += 1
        unreachable = result.state == "unreachable"
        outcomes.unreachable_in_a_row = (
            outcomes.unreachable_in_a_row + 1 if unreachable else 0
        )
        if result.state != "ok" and not outcome.faults:
            outcomes.faults.append(
                CrawlFault(
                    self._entry.name, name, None, result.reason, _words(result.state)
                )
            )
        outcomes.faults.extend(
            CrawlFault(self._entry.name, name, f.tag, f.code, f.message)
            for f in outcome.faults
        )

    def _fault(
        self, repository: str | None, tag: str | None, exc: WeighbridgeError
    ) -> None:
        self._outcomes.faults.append(
            CrawlFault(self._entry.name, repository, tag, exc.code, exc.message)
        )

    async def _measure(self, registry_id: int) -> None:
        left = await measure_registry(
            self._registry, registry_id, self._writer, self._progress, self._clock
        )
        if left:
            self._outcomes.faults.append(
                CrawlFault(
                    self._entry.name,
                    None,
                    None,
                    "not_measured",
                    f"{left} layers could not be measured now",
                )
            )

    async def _refresh_stale(self, registry_id: int) -> None:
        """A pass makes its own repository's row anew. Others are behind where a
        child of their indexes came with this crawl, or where a pass was stopped."""
        for repository_id in await self._writer.read(stale_repositories, registry_id):
            await self._writer.write(
                refresh_if_stale, repository_id, self._clock(), self._scope.platforms
            )

    async def _report(self, state: RegistryState, reason: str) -> RegistryCrawl:
        outcomes = self._outcomes
        images, weighed_bytes = await self._writer.read(
            weighed, outcomes.repository_ids
        )
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
        )


_WORDS: Final = {
    "partial": "the look did not reach the end; what was not seen is unchanged",
    "missing": "the registry does not know this repository",
    "unauthorized": "the registry refuses these credentials",
    "unreachable": "the registry could not be reached",
    "error": "the registry's answer could not be used",
}


def _words(state: str) -> str:
    return _WORDS.get(state, state)


def _still_running(tasks: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    for task in tasks:
        if task.done():
            task.result()
    return {task for task in tasks if not task.done()}


async def _wait_for(tasks: set[asyncio.Task[None]]) -> None:
    try:
        for task in tasks:
            await task
    except BaseException:
        await cancel(tasks)
        raise
