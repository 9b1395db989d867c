"""Asks in one crawl about tags of one repository: as the plan wants it; once more, a
few
in each crawl, for what the registry lacked, or had wrong: children of indexes, and
configs; and, while a long crawl has it, about what is pushed to it meanwhile.
"""

from collections.abc import Collection, Mapping, MutableSet, Sequence, Set
from contextlib import suppress
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Document, Image
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.engine.context.crawl_context import CrawlContext, PushCallbacks
from weighbridge.engine.crawl.repository.batch_writer import BatchWriter
from weighbridge.engine.documents.reading import Reading
from weighbridge.engine.push.keep_verdicts import PushLedger, after_writing, keep
from weighbridge.engine.push.push_plan import (
    PushPlan,
    TagStatus,
    ask_about,
    ask_new_layers,
    plan_pushes,
)
from weighbridge.engine.tags.tag_request import (
    FALSE_HEAD,
    CheckTurns,
    TagAnswer,
    TagQuestion,
    TagRequest,
    plan,
)
from weighbridge.engine.tasks.side_by_side import TaskGroup, together
from weighbridge.errors import (
    DocumentError,
    RateLimited,
    RegistryError,
    StoreError,
    TransportError,
)
from weighbridge.store.crawls.chunks import note_overtaken
from weighbridge.store.facts.images import (
    PASSING,
    images_without_config,
    keep_configs,
    keep_documents,
)
from weighbridge.store.leases.claiming import Claim, hold
from weighbridge.store.ledger.liveness import missing_manifests
from weighbridge.store.pushes.inbox import waiting_for_whole
from weighbridge.store.registries.registry_rows import note_false_head
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
        statuses = await ask_about(self._context, self._claim.repository, plan)
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


_MAY_PASS: Final = frozenset({"child_missing", "quota_spent"})
AT_ONCE: Final = 20
"""Children, and configs, that are asked for again in one crawl."""


async def ask_for_children(
    context: CrawlContext, claim: Claim, in_vain: MutableSet[Digest]
) -> str:
    """Ask for what live indexes list and nobody has read. Returns the code of one
    that is still missing, or "".

    in_vain: what this crawl has asked for already; what is not found now is added
    """
    read = context.writer.read
    missing = await read(missing_manifests, claim.repository_id, AT_ONCE)
    found: dict[Digest, Document] = {}
    readings: list[Reading] = []

    async def ask(digest: Digest) -> None:
        try:
            reading = await context.reader.read(claim.repository, digest)
        except (DocumentError, RegistryError, TransportError):
            in_vain.add(digest)
            return
        found.update((d.digest, d) for d in reading.documents)
        readings.append(reading)

    await together(
        ask(digest)
        for digest, code in missing.items()
        if code in _MAY_PASS and digest not in in_vain
    )
    if found:
        await context.writer.write(keep_documents, [*found.values()], {})
    for reading in readings:
        context.reader.forget(reading)
    left = await read(missing_manifests, claim.repository_id, 1)
    return next(iter(left.values()), "")


async def ask_for_configs(
    context: CrawlContext, claim: Claim, in_vain: Collection[Digest]
) -> None:
    """Ask for configs that live images were kept without: a registry that is asked too
    much has been seen to answer 404, and bytes change on their way.

    in_vain: images whose configs this crawl has asked for already
    """
    lacking = await context.writer.read(
        images_without_config, claim.repository_id, AT_ONCE
    )
    found: list[Image] = []

    async def ask(image: Image) -> None:
        with suppress(RegistryError, TransportError):
            # The platform is what the index said, as long as no config says more.
            again = await context.reader.image(
                claim.repository, image.manifest, image.platform
            )
            if not has_passing_problem(again):
                found.append(again)

    await together(ask(image) for image in lacking if image.digest not in in_vain)
    if found:
        await context.writer.write(keep_configs, found)


def has_passing_problem(image: Image) -> bool:
    """Whether its config could not be had this time."""
    return any(problem.code in PASSING for problem in image.problems)


SILENT_IN_A_ROW: Final = 5
"""So many tags in a row bring no answer, each after all its attempts: the others are
not asked in this crawl. A deadline for each of a thousand tags would be a day."""
REFUSED_IN_A_ROW: Final = 5
"""So many tags in a row are refused for having asked too much, each after all its
attempts: to ask for the others would be more of the same."""


class AnswerState:
    """What the answers of one crawl come to.

    sent_away:   why nothing is to be asked any more, or None
    is_in_doubt: whether any tag brought no answer
    """

    def __init__(self) -> None:
        self.sent_away: RegistryError | None = None
        self.is_in_doubt = False
        self._silent = 0
        self._refused = 0

    def add(self, answer: TagAnswer) -> None:
        """Raises TransportError once the registry has fallen silent."""
        is_refused = answer.unanswered == RateLimited.code
        self._refused = self._refused + 1 if is_refused else 0
        if self._refused >= REFUSED_IN_A_ROW:
            self.sent_away = RateLimited(
                f"{REFUSED_IN_A_ROW} tags in a row were refused: too much was asked",
                hint="the next crawl continues from here",
            )
        self._silent = self._silent + 1 if answer.is_silent else 0
        self.is_in_doubt |= answer.is_silent
        if self._silent >= SILENT_IN_A_ROW:
            raise TransportError(
                f"{SILENT_IN_A_ROW} tags in a row got no answer",
                code=answer.unanswered,
            )


class QuestionLimiter(Struct):
    """For so many questions."""

    left: int

    def take(self) -> bool:
        """Whether there was any."""
        has_room = self.left > 0
        self.left -= has_room
        return has_room


class TagAsking:
    """By one process, for a whole repository or a chunk of it.

    since:      when the last complete crawl began
    head_first: HEAD is asked before GET also of tags that are new
    is_helper:  another process has read the listing. What is refused here may be given
                to that one, which has other credentials, or another mirror: such a tag
                is left to it, and with it all that is still to be asked
    """

    def __init__(
        self,
        context: CrawlContext,
        claim: Claim,
        since: datetime | None,
        *,
        head_first: bool,
        is_helper: bool = False,
    ) -> None:
        self._context = context
        self._claim = claim
        self._head_first = head_first
        self._is_helper = is_helper
        self._turns = CheckTurns(claim, since, context.clock())
        self.answers = AnswerState()

    async def ask(
        self,
        tags: Sequence[TagSeen],
        batch_writer: BatchWriter,
        group: TaskGroup,
        *,
        known: Mapping[str, KnownTag] | None = None,
        room: QuestionLimiter | None = None,
    ) -> list[TagSeen]:
        """Ask what the plan wants; returns when the last question is being asked.

        known: what the store has of them; None: it is read
        room:  for so many questions: the tags of the others are returned
        """
        if room is not None and not room.left and all(map(_says_nothing, tags)):
            return list(tags)
        if known is None:
            known = await self._context.writer.read(
                known_tags, self._claim.repository_id, [tag.name for tag in tags]
            )
        context, has_quota = self._context, self._context.registry.has_quota
        look = TagRequest(
            context.registry, context.reader, self._claim.repository, known
        )
        questions = plan(
            tags,
            known,
            head_first=self._head_first or has_quota,
            has_turn=lambda tag: not has_quota and self._turns.has(tag),
            by_get=not has_quota and self._turns.by_get,
        )
        left: list[TagSeen] = []
        for question in questions:
            if question.kind == "same":
                batch_writer.add(await look.at(question), has_place=False)
            elif room is not None and not room.take():
                left.append(question.tag)
            elif self.answers.sent_away is None:
                await batch_writer.place()
                if has_quota:
                    # A quota that ends then leaves one index without its children,
                    # and not a hundred.
                    await self._ask(look, question, batch_writer)
                else:
                    group.spawn(self._ask(look, question, batch_writer))
        return left

    async def _ask(
        self, look: TagRequest, question: TagQuestion, batch_writer: BatchWriter
    ) -> None:
        """Raises TransportError once the registry has fallen silent."""
        try:
            answer = await look.at(question)
        except RateLimited as exc:
            self.answers.sent_away = exc
            batch_writer.drop()
            return
        if self._is_helper and (answer.is_absent or answer.is_refused):
            self.answers.sent_away = RegistryError(
                "a tag that is listed was refused", code=answer.code
            )
            batch_writer.drop()
            return
        if answer.fault is not None and answer.fault.code == FALSE_HEAD:
            await self._context.writer.write(
                note_false_head, self._claim.repository_id, self._context.clock()
            )
        batch_writer.add(answer)
        self.answers.add(answer)


def _says_nothing(tag: TagSeen) -> bool:
    """Whether only the registry can tell what a tag is."""
    return tag.digest is None and tag.pushed_at is None
