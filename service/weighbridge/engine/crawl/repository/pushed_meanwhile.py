"""Looks at what is pushed to a repository while a long crawl has it."""

from collections.abc import Mapping, Sequence, Set

from msgspec.structs import replace

from weighbridge.engine.context.crawl_context import CrawlContext, PushCallbacks
from weighbridge.engine.crawl.repository.batch_writer import BatchWriter
from weighbridge.engine.push.ask_registry import TagStatus, ask_about, ask_new_layers
from weighbridge.engine.push.keep_verdicts import PushLedger, after_writing, keep
from weighbridge.engine.push.push_plan import PushPlan, plan_pushes
from weighbridge.engine.tasks.side_by_side import TaskGroup
from weighbridge.errors import StoreError
from weighbridge.store.crawls.chunks import note_overtaken
from weighbridge.store.leases.claiming import Claim, hold
from weighbridge.store.pushes.inbox import waiting_for_whole
from weighbridge.store.session import Connection
from weighbridge.store.tags.applying import KnownTag, known_tags


class PushedMeanwhile:
    """Beside one crawl, under its claim; nothing where nobody waits for pushes.

    waiting: pushes that only a whole crawl can answer, by their ids
    seen:    tags that were found to be there, which the listing may not have had yet
    """

    def __init__(
        self,
        context: CrawlContext,
        claim: Claim,
        batch_writer: BatchWriter,
        group: TaskGroup,
    ) -> None:
        self._context = context
        self._callbacks = context.callbacks
        self._claim = replace(claim, is_push=True)
        self._batch_writer = batch_writer
        self._group = group
        self._handling = 0
        self.waiting: Sequence[int] = ()
        self.seen: set[str] = set()

    @property
    def is_handling(self) -> bool:
        """Whether an attempt is under way. Its end may come after `stop`."""
        return self._handling > 0

    async def read_waiting(self) -> None:
        """Pushes that only a whole crawl can answer: one that begins now does."""
        if self._callbacks is not None:
            self.waiting = await self._context.writer.read_many(
                waiting_for_whole, self._callbacks.to(self._claim.repository)
            )

    def begin(self) -> None:
        """Handle pushes beside the crawl until `stop`, and then until the attempt
        under way is done. A crawl that is shorter than `POLL_S` has nothing of it."""
        if self._callbacks is not None:
            self._context.watch.begin(self._callbacks.to(self._claim.repository), self)

    def stop(self) -> None:
        """See `begin`."""
        if self._callbacks is not None:
            self._context.watch.end(self._callbacks.to(self._claim.repository), self)

    def handle(self) -> None:
        """Something was pushed."""
        if self._callbacks is not None and not self.is_handling:
            self._handling += 1
            self._group.spawn(self._handle(self._callbacks))

    def fail(self, error: StoreError) -> None:
        """Nobody can say whether something was pushed: the crawl ends by it."""

        async def fail() -> None:
            raise error

        self._group.spawn(fail())

    async def _handle(self, callbacks: PushCallbacks) -> None:
        try:
            plan = await self._context.writer.read(
                plan_pushes,
                callbacks.to(self._claim.repository),
                self._claim.repository_id,
                self._context.wants_tag,
                self._context.clock(),
            )
            if not plan.is_empty:
                await self._handle_plan(plan, callbacks)
        finally:
            self._handling -= 1

    async def _handle_plan(self, plan: PushPlan, callbacks: PushCallbacks) -> None:
        """What the crawl was told of these tags before counts no more, and they are not
        asked about again."""
        meanwhile = self._batch_writer.meanwhile
        overtaken = plan.asked.keys() - meanwhile.overtaken
        meanwhile.overtaken |= overtaken
        meanwhile.has_pushes = True
        plan = await self._as_kept(plan, frozenset(meanwhile.overtaken))
        statuses = await ask_about(
            self._context, self._claim.repository, plan, self._context.clock()
        )
        unheard = {t.pushed.name for t in statuses if not t.is_heard} & overtaken
        meanwhile.overtaken -= unheard
        if unheard:
            await self._context.writer.write(
                note_overtaken,
                self._batch_writer.crawl_id,
                frozenset(meanwhile.overtaken),
            )
        scope_id = self._claim.scope_id
        words = await ask_new_layers(
            self._context, self._claim.repository, scope_id, statuses
        )
        ledger = PushLedger(
            self._context, callbacks, lambda _: self._claim, plan, statuses
        )
        await keep(ledger, words, lambda _: scope_id)
        self._note(statuses)
        if plan.whole:
            callbacks.whole(self._claim.repository)
        await after_writing(ledger)

    async def _as_kept(self, plan: PushPlan, overtaken: Set[str]) -> PushPlan:
        """The plan with what is known now. A batch may have kept what the crawl heard
        of a tag after that was read and before it was overtaken: behind this, on the
        thread that writes, there is none left. Other processes that work on chunks
        find it with the repository locked: their batches come before this, or see
        it."""

        def read(connection: Connection) -> Mapping[str, KnownTag]:
            # It waits for a batch of which nobody heard whether it was committed.
            hold(connection, self._claim, self._context.clock())
            note_overtaken(connection, self._batch_writer.crawl_id, overtaken)
            return known_tags(connection, self._claim.repository_id, list(plan.asked))

        return replace(plan, known=await self._context.writer.write(read))

    def _note(self, statuses: Sequence[TagStatus]) -> None:
        for one in statuses:
            if one.answer is None or not one.is_there:
                continue
            self.seen.add(one.pushed.name)
            if one.answer.fault is not None:
                # The repository is not whole with it, whoever has found that.
                self._batch_writer.tally.failed += 1
                self._batch_writer.tally.faults.append(one.answer.fault)
