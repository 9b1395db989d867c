"""Asks the registry about tags that were pushed, since events only say where to look,
and about their layers before they are judged.

A pusher's claim decides nothing that the registry can be asked about. It is asked for
the layers for a short time only, all together; of what is not answered by then the
claim is judged, said to be one, and judged again once it is answered.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from msgspec import Struct

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Image
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.domain.size.confidence import MeasuredBlob
from weighbridge.engine.context.crawl_context import CrawlContext
from weighbridge.engine.measure.many_layers import ask_for
from weighbridge.engine.push.push_plan import Pushed, PushPlan, with_time
from weighbridge.engine.tags.tag_request import TagAnswer, TagQuestion, TagRequest
from weighbridge.engine.tasks.side_by_side import together
from weighbridge.errors import (
    DocumentError,
    NotFound,
    RegistryError,
    TransportError,
    WeighbridgeError,
)
from weighbridge.ports.protocols import urgent
from weighbridge.store.sizes.unmeasured import Unmeasured, find_unasked
from weighbridge.store.tags.applying import KnownTag

PATIENCE_S: Final = 60.0
"""One that takes longer is broken off, and made again later."""


class TagStatus(Struct, frozen=True):
    """What the registry says of a pushed tag.

    answer: None where it has not been heard
    why:    the code of what went wrong, or ""
    wait_s: how long the registry wants to be left alone, 0: it has not said
    early:  events that the answer does not fit, to be handled again: a distribution
            tells of a push before it has the tag point to it
    """

    pushed: Pushed
    answer: TagAnswer | None = None
    why: str = ""
    wait_s: float = 0.0
    early: frozenset[int] = frozenset()

    @property
    def is_heard(self) -> bool:
        """Whether the registry has said what the tag is, or that there is none."""
        return self.answer is not None

    @property
    def is_absent(self) -> bool:
        """Whether it has said that there is no such tag."""
        return self.answer is not None and self.answer.is_absent

    @property
    def is_there(self) -> bool:
        """The opposite."""
        return self.answer is not None and not self.answer.is_absent

    @property
    def outcome(self) -> str:
        """What is to be said of its events."""
        if self.why:
            return self.why
        assert self.answer is not None  # noqa: S101 - nothing went wrong
        if self.answer.failure is not None:
            return self.answer.failure.code
        if self.answer.is_new:
            return "new"
        if self.answer.is_moved:
            return "moved"
        return self.answer.fault.code if self.answer.fault else "same"


async def ask_about(
    context: CrawlContext, repository: str, plan: PushPlan, now: datetime
) -> list[TagStatus]:
    """Ask about each tag of a plan: one GET and a config where the digest is new, one
    HEAD or GET otherwise. Whatever goes wrong is the answer."""
    look = _TagAsking(context, repository, plan, now)
    with urgent():
        if context.registry.has_quota:
            # What is left of it is for whole images, see `RepositoryCrawl`.
            return [await look.at(pushed) for pushed in plan.asked.values()]
        return await together(look.at(pushed) for pushed in plan.asked.values())


class _TagAsking:
    def __init__(
        self,
        context: CrawlContext,
        repository: str,
        plan: PushPlan,
        now: datetime,
    ) -> None:
        known = plan.known
        self._by_get = plan.by_get
        self._context = context
        self._known = known
        self._now = now
        self._look = TagRequest(context.registry, context.reader, repository, known)
        self._ends_at = asyncio.get_running_loop().time() + PATIENCE_S

    async def at(self, pushed: Pushed) -> TagStatus:
        try:
            async with asyncio.timeout_at(self._ends_at):
                pushed.read = await self._read_before(pushed)
                answer = await self._look.at(self._question(pushed))
        except TimeoutError:
            return TagStatus(pushed, why="deadline")
        except WeighbridgeError as exc:  # Of all tags: a quota, a long pause.
            return TagStatus(pushed, why=exc.code, wait_s=exc.retry_after or 0.0)
        if answer.is_absent:
            return TagStatus(pushed, answer, NotFound.code, early=pushed.early(None))
        if answer.unanswered:
            return TagStatus(pushed, None, answer.unanswered)
        before = self._known.get(pushed.name)
        timed = with_time(answer, pushed, before, self._now)
        return TagStatus(pushed, timed, early=_early(answer, pushed, before))

    async def _read_before(self, pushed: Pushed) -> set[Digest]:
        knows = self._context.reader.knows
        return {digest for digest in pushed.digests if await knows(digest)}

    def _question(self, pushed: Pushed) -> TagQuestion:
        """A tag that was pushed has a new digest as a rule, so that asking for that
        first would be one request more. Not where the event names one that we have, or
        says that the tag is gone, or where each manifest counts."""
        tag = TagSeen(pushed.name)
        asks_first = pushed.is_delete and not self._by_get
        if self._context.registry.has_quota or asks_first:
            return TagQuestion(tag, "head")
        is_known = bool(pushed.read) and not self._by_get
        return TagQuestion(tag, "head" if is_known else "get")


def _early(
    answer: TagAnswer, pushed: Pushed, before: KnownTag | None
) -> frozenset[int]:
    """What a tag has that moved may still be what one push before the last has left."""
    if answer.failure is not None:
        return frozenset()
    if answer.move is not None:
        digest = answer.move.digest
    elif before is not None and before.digest is not None:
        digest = before.digest
    else:
        return frozenset()
    if answer.is_moved:
        return pushed.early_after(digest)
    return pushed.early(digest, None if before is None else before.pushed_at)


def pushed_images(statuses: Sequence[TagStatus]) -> list[Image]:
    """The images that were read for these tags, each once."""
    found: dict[Digest, Image] = {}
    for one in statuses:
        if one.answer is not None and one.answer.reading is not None:
            documents = one.answer.reading.documents
            found |= {d.digest: d for d in documents if isinstance(d, Image)}
    return list(found.values())


async def ask_new_layers(
    context: CrawlContext,
    repository: str,
    scope_id: int | None,
    statuses: Sequence[TagStatus],
) -> Mapping[Digest, MeasuredBlob]:
    """What the registry says of the layers that are new in a storage scope, as far as
    it says it in time; scope_id: None of a repository that nobody has seen yet."""
    layers = {y.digest: y for image in pushed_images(statuses) for y in image.layers}
    wanted: Collection[Digest] = layers
    if scope_id is not None and layers:
        wanted = await context.writer.read(
            find_unasked, scope_id, list(layers.values()), context.clock()
        )
    answers: dict[Digest, MeasuredBlob] = {}

    async def one(digest: Digest) -> None:
        item = Unmeasured(scope_id or 0, layers[digest], repository)
        # It is asked for again after the verdict, and what is wrong is noted then.
        with suppress(DocumentError, RegistryError, TransportError):
            answers[digest] = await ask_for(context.registry, item)

    with urgent(), suppress(TimeoutError):
        async with asyncio.timeout(context.word_within_s):
            await asyncio.gather(*map(one, wanted))
    return answers
