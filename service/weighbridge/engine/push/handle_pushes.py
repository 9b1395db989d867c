"""Looks at what was pushed to one repository, as the inbox tells it.

An event is a hint. What a tag is now, only the registry can say: it is asked about the
tags that events name, and about nothing else.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Image
from weighbridge.domain.size.confidence import MeasuredBlob
from weighbridge.engine.context.crawl_context import CrawlContext, PushCallbacks
from weighbridge.engine.judge.judge import refresh_and_judge
from weighbridge.engine.measure.many_layers import measure_images
from weighbridge.engine.push.ask_registry import (
    TagStatus,
    ask_about,
    ask_new_layers,
    keep_words,
    pushed_images,
)
from weighbridge.engine.push.keep_verdicts import PushLedger, note_statuses
from weighbridge.engine.push.push_plan import PushPlan, plan_pushes
from weighbridge.engine.tags.tag_request import Batch
from weighbridge.engine.tasks.lease_renewal import LEASE_S, Heartbeat
from weighbridge.errors import StaleFence, StoreError
from weighbridge.ports.protocols import CRAWL_COST, IS_URGENT, RequestCost
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.leases.claiming import Claim, claim, release
from weighbridge.store.leases.process_mark import one_claim
from weighbridge.store.pushes.inbox import put_off, take
from weighbridge.store.pushes.tag_crawls import (
    claim_new,
    end_check,
    find_known,
)
from weighbridge.store.registries.registry_rows import RegistryEntry, put_registry
from weighbridge.store.registries.repository_rows import put_scopes
from weighbridge.store.session import Connection
from weighbridge.store.sizes.unmeasured import waiting_of

Ended: TypeAlias = Literal["done", "busy"]
"""`busy`: another process has the repository; what waits is to be tried again soon."""


class _BegunPlan(Struct, frozen=True):
    claim: Claim
    plan: PushPlan


class PushCheck:
    """One look.

    entry: the registry, should nothing have been asked of it yet
    owner: this process, as `process_mark.this_process` names it
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
        if not begun.plan.asked:
            self._ask_for_whole(begun.plan)
            return "done"
        return await self._handle(begun)

    def _begin(self, connection: Connection, repository_id: int) -> _BegunPlan | None:
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
        return _BegunPlan(taken, plan)

    async def _handle(self, begun: _BegunPlan) -> Ended:
        self._heartbeat.hold(begun.claim)
        try:
            statuses = await self._ask(begun.plan)
            scope_id = begun.claim.scope_id
            words = await self._ask_layers(scope_id, statuses)
            ledger = self._ledger(lambda _: begun.claim, begun.plan, statuses)
            await keep(self._context, ledger, words, lambda _: scope_id)
        except StaleFence:
            return "busy"
        except BaseException:
            with suppress(StoreError):  # The one that ended the attempt is on its way.
                await asyncio.shield(self._context.writer.write(release, [begun.claim]))
            raise
        finally:
            self._heartbeat.drop(begun.claim)
        self._ask_for_whole(begun.plan)
        await after_writing(self._context, self._callbacks, ledger)
        return "done"

    async def _handle_new(self) -> Ended:
        """A repository that nobody has seen yet is added once the registry has said
        that the tag is there."""
        plan = await self._context.writer.read(
            plan_pushes, self._to, None, self._context.wants_tag, self._context.clock()
        )
        if plan.is_empty:
            return "done"
        statuses = await self._ask(plan)
        if not any(t.is_there for t in statuses):
            await self._context.writer.write(self._settle, plan, statuses)
            return "done"
        words = await self._ask_layers(None, statuses)
        ledger = self._ledger(self._claim_new, plan, statuses)
        try:
            await keep(self._context, ledger, words, self._make_scope)
        except StaleFence:
            return "busy"
        self._callbacks.whole(self._to.repository)
        await after_writing(self._context, self._callbacks, ledger)
        return "done"

    async def _ask(self, plan: PushPlan) -> list[TagStatus]:
        return await ask_about(
            self._context, self._to.repository, plan, self._context.clock()
        )

    async def _ask_layers(
        self, scope_id: int | None, statuses: Sequence[TagStatus]
    ) -> Mapping[Digest, MeasuredBlob]:
        return await ask_new_layers(
            self._context, self._to.repository, scope_id, statuses
        )

    def _make_scope(self, connection: Connection) -> int:
        """Before the repository is added to it: what is said of its layers is kept
        first."""
        registry_id = put_registry(connection, self._entry, self._context.clock())
        name = self._to.repository
        return put_scopes(connection, registry_id, [name])[name]

    def _ledger(
        self,
        claim: Callable[[Connection], Claim],
        plan: PushPlan,
        statuses: Sequence[TagStatus],
    ) -> PushLedger:
        return PushLedger(
            claim,
            plan,
            statuses,
            self._context.judging(),
            self._context.clock(),
            ends=True,
            cost=self._cost,
            measuring=self._callbacks.measuring,
        )

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


async def keep(
    context: CrawlContext,
    ledger: PushLedger,
    words: Mapping[Digest, MeasuredBlob],
    scope: Callable[[Connection], int],
) -> None:
    """Store what an attempt has learned: on SQLite all of it at once.

    words: what the registry said of layers that are new in the storage scope
    """
    batch = Batch([t.answer for t in ledger.statuses if t.answer is not None])
    documents, missing = batch.documents(), batch.missing()

    def facts(connection: Connection) -> None:
        keep_documents(connection, documents, missing)

    await keep_words(
        context,
        facts if documents or missing else None,
        words,
        pushed_images(ledger.statuses),
        scope,
        ledger.keep,
    )
    for reading in batch.readings():
        context.reader.forget(reading)


async def after_writing(
    context: CrawlContext, callbacks: PushCallbacks, ledger: PushLedger
) -> None:
    """Tell of the verdict; then measure what is new, and judge that too."""
    callbacks.judged(ledger.judged)
    places = await context.writer.read(
        waiting_of, ledger.repository_id, _images(ledger.statuses)
    )
    if places:
        mark = IS_URGENT.set(True)
        try:
            await measure_images(
                context.registry,
                places,
                context.writer,
                context.progress,
                context.clock,
                context.count_conflicts,
            )
        finally:
            IS_URGENT.reset(mark)
        await context.writer.write(_judge_again, context, ledger.repository_id)
        callbacks.judged(())
    await context.writer.settle()


def _images(statuses: Sequence[TagStatus]) -> list[Digest]:
    """What may have to be measured: what was read, and what tags point at now."""
    found: dict[Digest, None] = {}
    for one in statuses:
        if one.answer is None or one.answer.move is None:
            continue
        found[one.answer.move.digest] = None
        if one.answer.reading is not None:
            documents = one.answer.reading.documents
            found |= {d.digest: None for d in documents if isinstance(d, Image)}
    return list(found)


def _judge_again(
    connection: Connection, context: CrawlContext, repository_id: int
) -> None:
    # What the newest image weighs may be another number now.
    refresh_and_judge(
        connection, repository_id, context.clock(), context.judging(), is_waiting=True
    )
