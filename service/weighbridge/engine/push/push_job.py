"""The job `PUSH` in any process: which look when, what it does, what follows from it.

The inbox says what waits; the job only says that something does. An event is a hint:
what a tag is now, only the registry can say, which is asked about the tags that events
name, and about nothing else. One that takes long goes on after its job has ended, so
that a slow registry holds up nobody else: what it has not kept when the process ends
still waits in the inbox.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final, Literal, TypeAlias

import structlog
from msgspec import Struct, field
from msgspec.structs import replace

from weighbridge.engine.context.crawl_context import (
    CrawlContext,
    JudgedTag,
    PushCallbacks,
)
from weighbridge.engine.context.parts import JobTarget, Parts
from weighbridge.engine.push.keep_verdicts import (
    PushLedger,
    after_writing,
    keep,
    note_statuses,
    put_all_off,
)
from weighbridge.engine.push.push_plan import (
    PushPlan,
    TagStatus,
    ask_about,
    ask_new_layers,
    plan_pushes,
)
from weighbridge.engine.tasks.lease_renewal import LEASE_S, Heartbeat
from weighbridge.engine.tasks.side_by_side import cancel
from weighbridge.errors import StaleFence, StoreError, WeighbridgeError
from weighbridge.ports.job_names import CRAWL, MEASURE, PUSH, SETTLE
from weighbridge.ports.protocols import CRAWL_COST, RequestCost
from weighbridge.store.leases.claiming import Claim, claim, release
from weighbridge.store.leases.jobs import Job
from weighbridge.store.leases.validity import one_claim
from weighbridge.store.pushes.inbox import (
    PushedTo,
    claim_new,
    end_check,
    find_known,
    next_due,
    put_off,
    take,
)
from weighbridge.store.registries.registry_rows import RegistryEntry, put_registry
from weighbridge.store.registries.scope_rows import put_scopes
from weighbridge.store.session import Connection

Ended: TypeAlias = Literal["done", "busy"]
"""`busy`: another process has the repository; what waits is to be tried again soon."""


class PushCheck:
    """One look.

    entry: the registry, should nothing have been asked of it yet
    owner: this process, as `validity.this_process` names it
    """

    def __init__(
        self,
        context: CrawlContext,
        callbacks: PushCallbacks,
        heartbeat: Heartbeat,
        entry: RegistryEntry,
        repository: str,
        *,
        owner: str,
        lease_s: float = LEASE_S,
    ) -> None:
        self._context = context
        self._callbacks = callbacks
        self._to = callbacks.to(repository)
        self._heartbeat = heartbeat
        self._entry = entry
        self._owner = one_claim(owner)
        self._lease_s = lease_s
        self._cost = RequestCost()

    async def run(self) -> Ended:
        """Ask, keep, judge, measure, judge again. Whatever the registry does is kept
        with the events; only StoreError is raised."""
        CRAWL_COST.set(self._cost)
        writer, now = self._context.writer, self._context.clock()
        known = await writer.read(find_known, self._to, now)
        if known is None:
            return await self._handle_new()
        if known.parked_until is not None:
            await writer.write(self._park, known.parked_until)
            return "done"
        begun = await writer.write(self._begin, known.repository_id)
        if begun is None:
            return "busy"
        claim, plan = begun
        if plan.asked:
            return await self._handle(claim, plan)
        self._ask_for_whole(plan)
        return "done"

    def _begin(
        self, connection: Connection, repository_id: int
    ) -> tuple[Claim, PushPlan] | None:
        """Take the repository and read what waits for it; where there is nothing to
        ask, give it back."""
        now = self._context.clock()
        taken = claim(
            connection,
            repository_id,
            now=now,
            lease_s=self._lease_s,
            owner=self._owner,
            is_push=True,
        )
        if taken is None:
            return None
        plan = plan_pushes(
            connection, self._to, repository_id, self._context.wants_tag, now
        )
        if plan.is_empty:
            release(connection, [taken])
        elif not plan.asked:
            plan.settle(connection, now)
            end_check(
                connection,
                taken,
                now,
                requests=0,
                bytes_read=0,
                is_there=False,
                is_due=bool(plan.whole),
            )
        return taken, plan

    async def _handle(self, claim: Claim, plan: PushPlan) -> Ended:
        with self._heartbeat.holding(claim):
            try:
                statuses = await ask_about(self._context, self._to.repository, plan)
                ledger = await self._keep(
                    plan, statuses, lambda _: claim, claim.scope_id
                )
            except StaleFence:
                return "busy"
            except BaseException:
                # The one that ended the attempt is on its way.
                with suppress(StoreError):
                    await asyncio.shield(self._context.writer.write(release, [claim]))
                raise
        self._ask_for_whole(plan)
        await after_writing(ledger)
        return "done"

    async def _handle_new(self) -> Ended:
        """A repository that nobody has seen yet is added once the registry has said
        that the tag is there."""
        plan = await self._context.writer.read(
            plan_pushes, self._to, None, self._context.wants_tag, self._context.clock()
        )
        if plan.is_empty:
            return "done"
        statuses = await ask_about(self._context, self._to.repository, plan)
        if not any(t.is_there for t in statuses):
            await self._context.writer.write(self._settle, plan, statuses)
            return "done"
        try:
            ledger = await self._keep(plan, statuses, self._claim_new, None)
        except StaleFence:
            return "busy"
        self._callbacks.whole(self._to.repository)
        await after_writing(ledger)
        return "done"

    async def _keep(
        self,
        plan: PushPlan,
        statuses: Sequence[TagStatus],
        claim: Callable[[Connection], Claim],
        scope_id: int | None,
    ) -> PushLedger:
        """scope_id: None of a repository that nobody has seen yet"""
        context = self._context
        words = await ask_new_layers(context, self._to.repository, scope_id, statuses)
        ledger = PushLedger(context, self._callbacks, claim, plan, statuses, self._cost)
        scope = self._make_scope if scope_id is None else (lambda _: scope_id)
        await keep(ledger, words, scope)
        return ledger

    def _make_scope(self, connection: Connection) -> int:
        """Before the repository is added to it: what is said of its layers is kept
        first."""
        registry_id = put_registry(connection, self._entry, self._context.clock())
        name = self._to.repository
        return put_scopes(connection, registry_id, [name])[name]

    def _claim_new(self, connection: Connection) -> Claim:
        """Raises StaleFence where somebody was faster."""
        now = self._context.clock()
        registry_id = put_registry(connection, self._entry, now)
        claim = claim_new(
            connection,
            registry_id,
            self._to.repository,
            now=now,
            lease_s=self._lease_s,
            owner=self._owner,
        )
        if claim is None:
            raise StaleFence(
                f"another process has claimed {self._to.repository} meanwhile"
            )
        return claim

    def _park(self, connection: Connection, until: datetime) -> None:
        waiting = take(connection, self._to, self._context.clock())
        put_off(connection, [push.id for push in waiting], until, "poison")

    def _settle(
        self, connection: Connection, plan: PushPlan, statuses: Sequence[TagStatus]
    ) -> None:
        now = self._context.clock()
        plan.settle(connection, now)
        note_statuses(connection, statuses, now)

    def _ask_for_whole(self, plan: PushPlan) -> None:
        if plan.whole:
            self._callbacks.whole(self._to.repository)


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
                    self.parts.context(asked.site, connected.registry),
                    replace(callbacks, judged=judged),
                    self.parts.heartbeat,
                    asked.site.entry(connected),
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
