"""All that one process does of crawling: a handler for each job.

The same in one process and in many. No handler keeps its caller for longer than some
seconds: what is not done then goes on beside whatever comes next, under its lease.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any, Final, TypeAlias

import structlog

from weighbridge.engine.bases.seed_job import seed
from weighbridge.engine.context.parts import Parts, asked_registry, asked_repository
from weighbridge.engine.crawl.registry.crawl_job import TURN_S, Slices
from weighbridge.engine.crawl.registry.discover_job import discover
from weighbridge.engine.crawl_requests.requests import handle_requests
from weighbridge.engine.measure.many_layers import measure
from weighbridge.engine.push.push_job import PushJob
from weighbridge.engine.schedule.tick_job import Tick
from weighbridge.engine.tasks.side_by_side import cancel
from weighbridge.errors import WeighbridgeError
from weighbridge.ports.job_names import (
    BASES,
    CRAWL,
    DELIVER,
    DISCOVER,
    MEASURE,
    PRUNE,
    PUSH,
    SEED,
    SETTLE,
    TICK,
)
from weighbridge.store.leases.jobs import Job
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.maintenance.base_sweep import sweep_bases
from weighbridge.store.maintenance.pruning import Pruned, prune
from weighbridge.store.pushes.inbox import PushedTo, find_known
from weighbridge.store.read_model.base_summaries import refresh_base_summaries

# Any: what a coroutine is sent and yields is asyncio's own business.
Handler: TypeAlias = Callable[[str], Coroutine[Any, Any, None]]
EVERY_DAY: Final = timedelta(days=1)
EVERY_MINUTE: Final = timedelta(minutes=1)
_RARER: Final = 60
"""To count what stands on each base reads every image there is: so many times what it
took is waited at least before it is done again."""
_AT_LEAST: Final = timedelta(minutes=10)


class Engine:
    """The handlers of one event loop. To be made on that loop.

    tick:    what is to be done every few seconds; None where only requests are looked
             after
    deliver: hands over the messages that are due
    """

    def __init__(
        self,
        parts: Parts,
        *,
        tick: Tick | None = None,
        deliver: Handler | None = None,
    ) -> None:
        self._parts = parts
        self._tick = tick
        self._deliver = deliver
        self._pushes = PushJob(parts)
        self._slices = Slices(parts, self._pushes.callbacks)
        self._going: dict[Job, asyncio.Task[None]] = {}
        self._is_stopped = threading.Event()
        self._beating = asyncio.create_task(parts.heartbeat.beat())
        self._log = structlog.get_logger("weighbridge.jobs")

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """What is done for each job, by its name."""
        handlers: dict[str, Handler] = {
            DISCOVER: self._discover,
            CRAWL: self._crawl,
            PUSH: self._handle_pushes,
            MEASURE: self._measure,
            SETTLE: self._settle,
            PRUNE: self._prune,
            BASES: self._count_bases,
            SEED: self._seed,
            TICK: self._handle_tick,
        }
        if self._deliver is not None:
            deliver = self._deliver
            handlers[DELIVER] = lambda text: self._counted(DELIVER, deliver(text))
        return handlers

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being done that goes on beside the jobs."""
        return self._slices.is_idle and not self._going

    async def aclose(self) -> None:
        """Give back what is in hand; what was stored stays."""
        self._is_stopped.set()
        await cancel([self._beating])
        await self._pushes.aclose()
        await cancel(list(self._going.values()))
        await self._slices.aclose()

    async def _discover(self, argument: str) -> None:
        site = asked_registry(self._parts.sites, argument)
        work = discover(self._parts, self._slices, site)
        await self._go_on(DISCOVER, argument, work)

    async def _crawl(self, argument: str) -> None:
        if "/" not in argument:
            site = asked_registry(self._parts.sites, argument)
            await self._counted(CRAWL, self._slices.of(site).turn())
            return
        asked = asked_repository(self._parts.sites, argument)
        found = await self._parts.writer.read(
            find_known,
            PushedTo(asked.site.name, asked.repository),
            self._parts.clock(),
        )
        if found is not None:
            # One that is gone is never due, and may be back.
            work = self._slices.of(asked.site).crawl(
                [found.repository_id], only_due=not found.is_deleted
            )
            await self._go_on(CRAWL, argument, work)

    async def _handle_pushes(self, argument: str) -> None:
        asked = asked_repository(self._parts.sites, argument)
        await self._counted(PUSH, self._pushes.handle(asked))

    async def _measure(self, argument: str) -> None:
        site = asked_registry(self._parts.sites, argument)
        await self._go_on(MEASURE, argument, measure(self._parts, site))

    async def _settle(self, _: str) -> None:
        work = asyncio.to_thread(settle_all, self._parts.database)
        await self._counted(SETTLE, work)

    async def _handle_tick(self, _: str) -> None:
        await self._counted(TICK, self._tick_once())

    async def _tick_once(self) -> None:
        if self._tick is not None:
            for wanted in await asyncio.to_thread(self._tick.run):
                self._parts.jobs.put(*wanted[:2], first=wanted.first)
        await handle_requests(self._parts)
        self._parts.watcher.requests_handled()

    async def _prune(self, _: str) -> None:
        await self._go_on(PRUNE, "", self._prune_if_due())

    async def _prune_if_due(self) -> None:
        parts = self._parts
        async with parts.shared.doing(Job(PRUNE), EVERY_DAY) as claimed:
            if claimed is None:
                return
            pruned = await asyncio.to_thread(
                prune,
                parts.database,
                parts.retention,
                parts.clock(),
                is_stopped=self._is_stopped.is_set,
            )
        is_any = pruned != Pruned(0, 0, 0)
        tell = self._log.info if is_any else self._log.debug
        tell(
            "pruned",
            crawls=pruned.crawls,
            manifests=pruned.manifests,
            blobs=pruned.blobs,
            pushes=pruned.pushes,
            violations=pruned.violations,
        )

    async def _seed(self, argument: str) -> None:
        site = asked_registry(self._parts.sites, argument)
        await self._go_on(SEED, argument, seed(self._parts, site))

    async def _count_bases(self, _: str) -> None:
        await self._go_on(BASES, "", self._count_bases_if_due())

    async def _count_bases_if_due(self) -> None:
        parts = self._parts
        async with parts.shared.doing(Job(BASES), EVERY_MINUTE) as claimed:
            if claimed is None:
                return
            began = time.monotonic()
            await asyncio.to_thread(
                sweep_bases,
                parts.database,
                parts.clock(),
                is_stopped=self._is_stopped.is_set,
            )
            await asyncio.to_thread(
                refresh_base_summaries, parts.database, parts.clock(), parts.in_part
            )
            pause = _RARER * timedelta(seconds=time.monotonic() - began)
            if pause > EVERY_MINUTE:
                await parts.shared.put_off(claimed, min(pause, _AT_LEAST))

    async def _go_on(
        self, job: str, argument: str, work: Coroutine[Any, Any, None]
    ) -> None:
        """Wait for some seconds until it is done; then it goes on beside other jobs.
        Raises what it ended with, if that is soon."""
        key = Job(job, argument)
        if key in self._going:
            work.close()  # The same is being done here.
            return
        task, began = asyncio.create_task(work), time.monotonic()
        self._going[key] = task
        task.add_done_callback(lambda _: self._going.pop(key, None))
        task.add_done_callback(lambda done: self._count(job, began, _failed(done)))
        await asyncio.wait((task,), timeout=TURN_S)
        if task.done():
            task.result()
        else:
            task.add_done_callback(self._tell)

    async def _counted(self, job: str, work: Coroutine[Any, Any, object]) -> None:
        """Do it, and let a scrape see how long it took and whether it failed."""
        began = time.monotonic()
        try:
            await work
        except Exception:
            self._count(job, began, is_failed=True)
            raise
        self._count(job, began, is_failed=False)

    def _count(self, job: str, began: float, is_failed: bool | None) -> None:
        """is_failed: None where it was given back"""
        if is_failed is None:
            return
        telemetry = self._parts.telemetry
        telemetry.tasks.labels(job).inc()
        telemetry.task_failures.labels(job).inc(is_failed)
        telemetry.task_duration.labels(job).observe(time.monotonic() - began)

    def _tell(self, task: "asyncio.Task[None]") -> None:
        """Nobody waits for it any more."""
        if task.cancelled() or (exc := task.exception()) is None:
            return
        code = exc.code if isinstance(exc, WeighbridgeError) else "bug"
        self._log.error("job failed", code=code, why=str(exc))


def _failed(task: "asyncio.Task[None]") -> bool | None:
    """None: it was cancelled."""
    return None if task.cancelled() else task.exception() is not None
