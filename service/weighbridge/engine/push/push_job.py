"""The job `PUSH` in any process: which look when, and what follows from it.

The inbox says what waits; the job only says that something does. One that takes long
goes on after its job has ended, so that a slow registry holds up nobody else: what it
has not kept when the process ends still waits in the inbox.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import structlog
from msgspec import Struct, field
from msgspec.structs import replace

from weighbridge.engine.context.crawl_context import (
    CrawlContext,
    JudgedTag,
    PushCallbacks,
)
from weighbridge.engine.context.parts import ConnectedRegistry, Parts
from weighbridge.engine.context.site import JobTarget
from weighbridge.engine.push.handle_pushes import Ended, PushCheck
from weighbridge.engine.push.keep_verdicts import put_all_off
from weighbridge.engine.tasks.side_by_side import cancel
from weighbridge.errors import StoreError, WeighbridgeError
from weighbridge.ports.job_names import CRAWL, MEASURE, PUSH, SETTLE
from weighbridge.store.leases.jobs import Job
from weighbridge.store.pushes.inbox import PushedTo, next_due

AGAIN_S: Final = 0.2
"""A repository that another process has is tried again so soon, ..."""
AGAIN: Final = 150
"""... so often in a row; then the scheduler asks again."""
RING_S: Final = 60.0
"""A push that is due within that time is rung for here; later ones by the scheduler."""
HANDLED_S: Final = 0.5
"""A job waits no longer for its attempt's verdict."""
OF_A_REGISTRY: Final = 8
"""Looks at one registry at once: one that is silent holds no more."""


class PushJob(Struct):
    """Those of one event loop.

    handled_s: a job waits no longer for its attempt's verdict
    """

    parts: Parts
    handled_s: float = HANDLED_S
    _running: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)
    _asked_again: set[str] = field(default_factory=set)
    _of_registry: Counter[str] = field(default_factory=Counter)
    _in_line: dict[str, dict[str, JobTarget]] = field(default_factory=dict)
    _busy: Counter[str] = field(default_factory=Counter)
    _timers: dict[str, asyncio.TimerHandle] = field(default_factory=dict)

    def callbacks(self, registry: str) -> PushCallbacks:
        """Where the crawls of a registry handle what is pushed meanwhile."""
        return PushCallbacks(
            registry=registry,
            judged=lambda judged: self._tell(registry, judged),
            whole=lambda name: self.parts.jobs.put(CRAWL, f"{registry}/{name}"),
            measuring=Job(MEASURE, registry),
        )

    async def handle(self, asked: JobTarget) -> None:
        """Handle what waits for a repository. Raises what the attempt ended with, if
        that is soon."""
        key = asked.name
        if key in self._running:
            self._asked_again.add(key)
        elif self._of_registry[asked.site.name] >= OF_A_REGISTRY:
            # Whoever has a place now makes room; enqueueing again and again would cost
            # more than the attempts, of a thousand repositories that are pushed to.
            self._in_line.setdefault(asked.site.name, {})[key] = asked
        else:
            task, is_judged = self._start(asked)
            await _first_of(task, is_judged, self.handled_s)
            if task.done():
                task.result()
            else:
                task.add_done_callback(_log_failure)

    async def aclose(self) -> None:
        """End what is under way; it still waits in the inbox."""
        self._in_line.clear()
        for timer in self._timers.values():
            timer.cancel()
        await cancel(list(self._running.values()))

    def _start(self, asked: JobTarget) -> tuple["asyncio.Task[None]", asyncio.Event]:
        """An attempt, and what is set when its verdict is stored."""
        self._of_registry[asked.site.name] += 1
        is_judged = asyncio.Event()
        task = asyncio.create_task(self._handle(asked, is_judged))
        self._running[asked.name] = task
        return task, is_judged

    def _start_next(self, registry: str) -> None:
        """Give a place that is free to whoever has waited longest for one."""
        if in_line := self._in_line.get(registry):
            task, _ = self._start(in_line.pop(next(iter(in_line))))
            task.add_done_callback(_log_failure)

    async def _handle(self, asked: JobTarget, is_judged: asyncio.Event) -> None:
        key = asked.name
        try:
            wait_s: float | None = 0.0
            while wait_s is not None and wait_s <= 0:
                self._asked_again.discard(key)
                ended = await self._handle_once(asked, is_judged)
                wait_s = await self._wait_s(asked, ended)
            if wait_s is not None:
                self._ring_in(key, wait_s)
        finally:
            self._of_registry[asked.site.name] -= 1
            del self._running[key]
            self._start_next(asked.site.name)

    async def _handle_once(self, asked: JobTarget, is_judged: asyncio.Event) -> Ended:
        callbacks = self.callbacks(asked.site.name)

        def judged(found: Sequence[JudgedTag]) -> None:
            callbacks.judged(found)
            is_judged.set()

        try:
            async with self.parts.asking(asked.site) as connected:
                return await PushCheck(
                    self._context(asked, connected),
                    replace(callbacks, judged=judged),
                    self.parts.heartbeat,
                    asked.site.entry(connected.seen),
                    asked.repository,
                    owner=self.parts.owner,
                    lease_s=self.parts.lease_s,
                ).run()
        except StoreError:
            raise  # All of it waits as it did.
        except Exception as exc:
            why = exc.code if isinstance(exc, WeighbridgeError) else "bug"
            with suppress(StoreError):
                await self.parts.writer.write(
                    put_all_off, _to(asked), self.parts.clock(), why
                )
            raise
        finally:
            if not self.parts.writer.settles_at_once:
                self.parts.jobs.put(SETTLE, "")

    async def _wait_s(self, asked: JobTarget, ended: Ended) -> float | None:
        """Until the next attempt; None where nothing waits, or the tick sees to it."""
        key = asked.name
        due_at = await self.parts.writer.read(next_due, _to(asked))
        wait_s = (
            None if due_at is None else (due_at - self.parts.clock()).total_seconds()
        )
        # Whoever has it may have looked meanwhile: what is left is for later then.
        is_kept_waiting = ended == "busy" and wait_s is not None and wait_s <= 0
        if is_kept_waiting:
            self._busy[key] += 1
            if self._busy[key] <= AGAIN:
                return AGAIN_S
        self._busy.pop(key, None)
        if key in self._asked_again:
            return 0.0
        if is_kept_waiting or wait_s is None or wait_s > RING_S:
            return None
        return max(0.0, wait_s)

    def _ring_in(self, key: str, wait_s: float) -> None:
        """Not by a job that waits: others would wait for its place."""
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= loop.time() + wait_s:
                return
            timer.cancel()
        self._timers[key] = loop.call_later(wait_s, self._ring, key)

    def _ring(self, key: str) -> None:
        self._timers.pop(key, None)
        self.parts.jobs.put(PUSH, key, first=True)

    def _context(self, asked: JobTarget, connected: ConnectedRegistry) -> CrawlContext:
        return self.parts.context(asked.site, connected.registry)

    def _tell(self, registry: str, judged: Sequence[JudgedTag]) -> None:
        now = self.parts.clock()
        for one in judged:
            self.parts.telemetry.push_audits.labels(registry, one.verdict).inc()
            took = (now - one.received_at).total_seconds()
            duration = self.parts.telemetry.push_audit_duration.labels(registry)
            duration.observe(max(0.0, took))
            for compressed_bytes in one.compressed_bytes:
                weight = self.parts.telemetry.push_image_compressed_bytes.labels(
                    registry
                )
                weight.observe(compressed_bytes)
        self.parts.deliver()


async def _first_of(
    task: "asyncio.Task[None]", is_judged: asyncio.Event, handled_s: float
) -> None:
    """Until an attempt has ended or has come to its verdict, or for so long: what it
    measures then, the next push need not wait for."""
    judged = asyncio.create_task(is_judged.wait())
    try:
        await asyncio.wait(
            (task, judged),
            timeout=handled_s,
            return_when=asyncio.FIRST_COMPLETED,
        )
    finally:
        judged.cancel()


def _to(asked: JobTarget) -> PushedTo:
    return PushedTo(asked.site.name, asked.repository)


def _log_failure(task: "asyncio.Task[None]") -> None:
    """Nobody waits for it any more."""
    if task.cancelled() or (exc := task.exception()) is None:
        return
    log = structlog.get_logger("weighbridge.push")
    code = exc.code if isinstance(exc, WeighbridgeError) else "bug"
    log.error("a push could not be handled", code=code, why=str(exc))
