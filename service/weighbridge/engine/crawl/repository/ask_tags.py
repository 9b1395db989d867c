"""Asks in one crawl about tags of one repository, as the plan wants it; then once more,
a few in each crawl, for what the registry lacked, or had wrong: children of indexes,
and configs."""

from collections.abc import Collection, Mapping, MutableSet, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from msgspec import Struct

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Document, Image
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.engine.context.crawl_context import CrawlContext
from weighbridge.engine.crawl.repository.batch_writer import BatchWriter
from weighbridge.engine.documents.reading import Reading
from weighbridge.engine.tags.tag_request import (
    FALSE_HEAD,
    CheckTurns,
    TagAnswer,
    TagQuestion,
    TagRequest,
    plan,
)
from weighbridge.engine.tasks.side_by_side import TaskGroup, together
from weighbridge.errors import DocumentError, RateLimited, RegistryError, TransportError
from weighbridge.store.facts.images import (
    PASSING,
    images_without_config,
    keep_configs,
    keep_documents,
)
from weighbridge.store.leases.claiming import Claim
from weighbridge.store.ledger.liveness import missing_manifests
from weighbridge.store.registries.registry_rows import note_false_head
from weighbridge.store.tags.applying import KnownTag, known_tags

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
