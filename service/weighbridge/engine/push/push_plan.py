"""What is asked about the pushes that wait for a repository, and what the registry
says.

What events tell is put together, so that each tag is asked about once. A pusher's claim
decides nothing that the registry can be asked about: events only say where to look. It
is asked for the layers before they are judged, for a short time only, all together; of
what is not answered by then the claim is judged, said to be one, and judged again once
it is answered.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct, field

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Image
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.domain.size.confidence import MeasuredBlob
from weighbridge.engine.context.crawl_context import CrawlContext
from weighbridge.engine.measure.many_layers import ask_for
from weighbridge.engine.tags.tag_request import (
    DISTRUST,
    TagAnswer,
    TagQuestion,
    TagRequest,
)
from weighbridge.engine.tasks.side_by_side import together
from weighbridge.errors import (
    DocumentError,
    NotFound,
    RegistryError,
    TransportError,
    WeighbridgeError,
)
from weighbridge.ports.protocols import urgent
from weighbridge.store.pushes.inbox import (
    PushedTo,
    WaitingPush,
    hold_back,
    note_done,
    put_off,
    tags_at,
    take,
    too_soon,
)
from weighbridge.store.registries.registry_rows import find_false_head
from weighbridge.store.session import Connection
from weighbridge.store.sizes.unmeasured import Unmeasured, find_unasked
from weighbridge.store.tags.applying import KnownTag, Move, known_tags

EARLY_S: Final = (0.1, 0.5, 2.0)
"""After so long the registry is asked again where its answer does not fit the event."""
AHEAD: Final = timedelta(minutes=5)
"""A sender's clock may be ahead by so much; beyond that its time is not believed."""


class Pushed(Struct):
    """A tag of which events tell.

    is_delete: one of them says that the tag is gone
    times:     when it was pushed, by the digest that it was to have then
    read:      of the digests, those that were read before events told of them now
    """

    name: str
    events: list[WaitingPush] = field(default_factory=list)
    is_delete: bool = False
    times: dict[Digest | None, datetime] = field(default_factory=dict)
    digests: set[Digest] = field(default_factory=set)
    read: set[Digest] = field(default_factory=set)

    @property
    def ids(self) -> list[int]:
        return [event.id for event in self.events]

    @property
    def received_at(self) -> datetime:
        """When the first of them came."""
        return min(event.received_at for event in self.events)

    def split(self) -> tuple[list[int], "Pushed | None"]:
        """Events that nobody has handled yet, and what is left without them: that
        is asked about again a few times at most, and not again for each new event."""
        tried = [(self.name, event) for event in self.events if event.attempts]
        fresh = [event.id for event in self.events if not event.attempts]
        return fresh, by_tag(tried).get(self.name)

    def tells_of(self, digest: Digest | None) -> bool:
        """Whether an event says that this was pushed, or does not say what was."""
        return any(
            not event.is_delete and event.digest in (None, digest)
            for event in self.events
        )

    def add(self, push: WaitingPush) -> None:
        """One more event."""
        self.events.append(push)
        if push.is_delete:
            self.is_delete = True
            return
        if push.digest is not None:
            self.digests.add(push.digest)
        if push.pushed_at is not None:
            before = self.times.get(push.digest)
            self.times[push.digest] = max(push.pushed_at, before or push.pushed_at)

    def early(
        self, digest: Digest | None, known_at: datetime | None = None
    ) -> frozenset[int]:
        """Events that the registry's answer does not fit, and that may have come before
        the registry had done what they tell of.

        digest:   what the tag has, None where there is none
        known_at: when that was pushed: an event from before it is late, and not early
        """
        return frozenset(
            event.id
            for event in self.events
            if not event.is_delete
            and event.attempts < len(EARLY_S)
            and (digest is None or event.digest not in (None, digest))
            and not self._is_late(event, known_at)
        )

    def _is_late(self, event: WaitingPush, known_at: datetime | None) -> bool:
        """Whether it tells of what was before. Its time alone does not say so: the
        sender's clock may have been put back, and what was never read is new."""
        is_new = event.digest is not None and event.digest not in self.read
        return _is_before(event.pushed_at, known_at) and not is_new

    def early_after(self, digest: Digest) -> frozenset[int]:
        """The same where the tag has just moved to a digest. Of events that are older
        than the one which tells of it, or where none does, it has moved on since."""
        named = [e for e in self.events if e.digest == digest and not e.is_delete]
        if not named:
            return frozenset()
        early = self.early(digest, self.times.get(digest))
        # Ids say nothing of the order of events that came within the same moment.
        last_at = max(event.received_at for event in named)
        known_at = self.times.get(digest)
        before = {
            e.id
            for e in self.events
            if e.received_at < last_at
            or (e.received_at == last_at and _is_before(e.pushed_at, known_at))
        }
        return early - before

    def time_of(self, digest: Digest, now: datetime) -> datetime | None:
        """When this digest was pushed. None where no event tells a time at all; the
        moment of receipt where they tell none of this digest, or one to come: a tag
        with a push time counts as newer than any without."""
        if not self.times:
            return None
        said = self.times.get(digest) or self.times.get(None)
        if said is None or said > now + AHEAD:
            return self.last_received_at(now)
        return said

    def last_received_at(self, now: datetime) -> datetime:
        """When the last of them came."""
        return min(now, max(event.received_at for event in self.events))


def by_tag(waiting: Iterable[tuple[str, WaitingPush]]) -> dict[str, Pushed]:
    """The tags that events tell of, each with all its events."""
    found: dict[str, Pushed] = {}
    for name, push in waiting:
        if name not in found:
            found[name] = Pushed(name)
        found[name].add(push)
    return found


def with_time(
    answer: TagAnswer, pushed: Pushed, before: KnownTag | None, now: datetime
) -> TagAnswer:
    """The registry's answer with the time of the push.

    That of an event which is late changes nothing: only a tag that moved, or a later
    push of what it has already, gets another time.
    """
    if answer.move is None and (answer.failure or answer.fault):
        return answer
    digest = answer.move.digest if answer.move is not None else _digest_of(before)
    if digest is None:
        return answer
    known_at = None if before is None else before.pushed_at
    at = pushed.time_of(digest, now)
    if before is not None and before.digest == digest:
        # An event of another digest says nothing of this one.
        is_dated = bool({digest, None} & pushed.times.keys())
        if not is_dated or at is None or _is_before(at, known_at):
            at = known_at
    elif _is_before(at, known_at):
        at = pushed.last_received_at(now)
    if answer.move is None and at == known_at:
        return answer
    return TagAnswer(
        answer.name,
        move=Move(answer.name, digest, at),
        reading=answer.reading,
        fault=answer.fault,
        was=None if before is None else before.digest,
    )


def _is_before(at: datetime | None, known_at: datetime | None) -> bool:
    return at is not None and known_at is not None and at <= known_at


def _digest_of(before: KnownTag | None) -> Digest | None:
    return None if before is None else before.digest


TAGS: Final = 200
"""Tags that are asked about at once, as many as a crawl has in hand."""
GIVE_UP: Final = timedelta(days=1)
"""A push that nobody could handle for so long is left to the crawls."""
_WHOLE: Final = timedelta(minutes=1)
"""A push that a whole crawl is to answer: that is asked for again after so long, then
after twice that, up to an hour."""


class PushPlan(Struct):
    """What is to be done about pushes.

    asked:     tags to be asked about, each with its events
    known:     what is stored of these
    done:      events about which there is nothing to ask, by what is to be said of them
    held_back: events that come too soon after others, by when they are due
    whole:     events that only a whole crawl can answer
    by_get:    the registry's HEAD was found false not long ago
    """

    asked: dict[str, Pushed] = field(default_factory=dict)
    known: Mapping[str, KnownTag] = field(default_factory=dict)
    done: dict[str, list[int]] = field(default_factory=dict)
    held_back: dict[datetime, list[int]] = field(default_factory=dict)
    whole: list[WaitingPush] = field(default_factory=list)
    by_get: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing waited."""
        return not (self.asked or self.done or self.held_back or self.whole)

    def settle(self, connection: Connection, now: datetime) -> None:
        """Keep what needs no answer of the registry."""
        for outcome, ids in self.done.items():
            note_done(connection, ids, outcome, now)
        for due_at, ids in self.held_back.items():
            hold_back(connection, ids, due_at)
        for push in self.whole:
            if push.received_at <= now - GIVE_UP:
                note_done(connection, [push.id], "needs_crawl", now)
            else:
                wait = _WHOLE * 2 ** min(push.attempts, 6)
                put_off(connection, [push.id], now + wait, "needs_crawl")


def plan_pushes(
    connection: Connection,
    to: PushedTo,
    repository_id: int | None,
    wants_tag: Callable[[str], bool],
    now: datetime,
) -> PushPlan:
    """Read what waits and is due, and sort it; the rest follows.

    repository_id: None where the repository is not known yet
    """
    plan = PushPlan()
    named: list[tuple[str, WaitingPush]] = []
    for push in take(connection, to, now):
        if push.tag is not None and not wants_tag(push.tag):
            plan.done.setdefault("outside_filter", []).append(push.id)
        elif push.tag is not None:
            named.append((push.tag, push))
        elif repository_id is None:
            plan.done.setdefault("not_found", []).append(push.id)
        else:
            named += _of_digest(connection, repository_id, push, plan)
    found = by_tag(named)
    soon = too_soon(connection, to, now) if found else {}
    if found:
        false_at = find_false_head(connection, to.registry)
        plan.by_get = false_at is not None and now - false_at < DISTRUST
    for name in sorted(found, key=lambda name: found[name].ids):
        pushed: Pushed | None = found[name]
        # That a tag is gone is told once, and does not come in bursts.
        if name in soon and not found[name].is_delete:
            fresh, pushed = found[name].split()
            plan.held_back.setdefault(soon[name], []).extend(fresh)
        if pushed is not None and len(plan.asked) < TAGS:
            plan.asked[name] = pushed
    if repository_id is not None:
        plan.known = known_tags(connection, repository_id, list(plan.asked))
    return plan


def _of_digest(
    connection: Connection, repository_id: int, push: WaitingPush, plan: PushPlan
) -> Sequence[tuple[str, WaitingPush]]:
    """A manifest was deleted: which tags that takes along, only we may know."""
    if push.digest is None:
        plan.whole.append(push)
        return []
    names = tags_at(connection, repository_id, push.digest, TAGS)
    if len(names) == TAGS:
        plan.whole.append(push)
        return []
    if not names:
        plan.done.setdefault("same", []).append(push.id)
    return [(name, push) for name in names]


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
    context: CrawlContext, repository: str, plan: PushPlan
) -> list[TagStatus]:
    """Ask about each tag of a plan: one GET and a config where the digest is new, one
    HEAD or GET otherwise. Whatever goes wrong is the answer."""
    look = _TagAsking(context, repository, plan)
    with urgent():
        if context.registry.has_quota:
            # What is left of it is for whole images, see `RepositoryCrawl`.
            return [await look.at(pushed) for pushed in plan.asked.values()]
        return await together(look.at(pushed) for pushed in plan.asked.values())


class _TagAsking:
    def __init__(self, context: CrawlContext, repository: str, plan: PushPlan) -> None:
        known = plan.known
        self._by_get = plan.by_get
        self._context = context
        self._known = known
        self._now = context.clock()
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
