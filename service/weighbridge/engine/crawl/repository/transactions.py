"""The transactions of crawls, those of many repositories together: batches of answers
that are kept while crawls go on, and their end: kept, summed up, judged, closed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Document
from weighbridge.engine.judge.judge import end_first_crawls, refresh_and_judge
from weighbridge.engine.judge.judged_batch import Judging
from weighbridge.engine.measure.many_layers import MEASURED_WITHIN
from weighbridge.engine.tags.tag_request import Batch
from weighbridge.engine.writer.writer import Writer
from weighbridge.errors import StoreError
from weighbridge.store.crawls.chunks import (
    Advanced,
    CrawlCounts,
    is_held,
    note_answered,
    note_chunk,
    read_overtaken,
)
from weighbridge.store.crawls.crawl_rows import Closing, close_many
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.leases.claiming import Claim, count_anew, lock_ours, stale
from weighbridge.store.leases.jobs import Job, make_due
from weighbridge.store.ledger.counts import Growth
from weighbridge.store.pushes.inbox import note_done
from weighbridge.store.read_model.summaries import refresh_many
from weighbridge.store.session import Connection, lock_repositories
from weighbridge.store.tags.applying import Changes, apply_many

_LONG: Final = 32
"""A batch of so many answers costs no more alone than beside others."""


class Meanwhile(Struct):
    """What pushes have changed under a crawl. The thread that writes reads it.

    overtaken:  tags about which the registry was asked again since: what it said
        before is not true any more
    has_pushes: whether any was handled: what was read of the repository when it was
        claimed is not true any more
    is_shared:  whether others keep tags of the repository too
    is_elsewhere: whoever has the claim handles pushes, and not this process: what
        they overtake is read from the store
    """

    overtaken: set[str] = field(default_factory=set)
    has_pushes: bool = False
    is_shared: bool = False
    is_elsewhere: bool = False


class WriteStep(Struct, frozen=True):
    """One batch of one crawl.

    batch:    with the facts that are to be kept in the same transaction
    is_first: nothing of the repository was ever kept when the crawl began, and nothing
        by the crawl
    """

    claim: Claim
    batch: Batch
    now: datetime
    meanwhile: Meanwhile
    is_first: bool

    def changes(self) -> Changes:
        """What is true of it at this moment, in the transaction that keeps it."""
        meanwhile = self.meanwhile
        overtaken, is_alone = meanwhile.overtaken, not meanwhile.is_shared
        answers = [a for a in self.batch.answers if a.name not in overtaken]
        return Changes(
            self.claim,
            [a.move for a in answers if a.move is not None],
            [a.failure for a in answers if a.failure is not None],
            self.now,
            is_new=self.is_first and is_alone and not meanwhile.has_pushes,
        )


class Advance(Struct, frozen=True):
    """How far a crawl has come with a step: the cursor's next piece.

    counts: what there was since the one before
    part:   of a chunk: how far that has come
    """

    step: WriteStep
    crawl_id: int
    position: int
    names: Sequence[str]
    counts: CrawlCounts
    part: Advanced | None = None


async def keep(writer: Writer, advance: Advance) -> None:
    """Keep a batch while its crawl goes on. Raises StaleFence."""
    step = await keep_facts_apart(writer, advance.step)
    await writer.write_many(
        keep_many,
        replace(advance, step=step),
        lingers=len(step.batch.answers) < _LONG,
    )


async def keep_facts_apart(writer: Writer, step: WriteStep) -> WriteStep:
    """Keep a step's facts where that is to be another transaction: so no lock on a
    shared fact is held while a repository is locked, or the other way round."""
    batch = step.batch
    if batch.has_facts and not writer.settles_at_once:
        lingers = len(batch.answers) < _LONG
        await writer.write_many(keep_facts_many, batch, lingers=lingers)
        return replace(step, batch=batch.without_facts())
    return step


def keep_facts_many(connection: Connection, batches: Sequence[Batch]) -> list[None]:
    """Those that come several times are kept once."""
    documents: dict[Digest, Document] = {}
    missing: dict[Digest, str] = {}
    for batch in batches:
        for document in batch.documents:
            documents.setdefault(document.digest, document)
        missing |= batch.missing
    if documents or missing:
        keep_documents(connection, list(documents.values()), missing)
    return [None] * len(batches)


def apply_steps(
    connection: Connection, steps: Sequence[WriteStep]
) -> list[Growth | StoreError]:
    """Facts first, then where tags point and why others could not be read. An error
    where a repository is not ours any more: it drops out alone."""
    keep_facts_many(connection, [step.batch for step in steps])
    return list(apply_many(connection, [step.changes() for step in steps]))


def keep_many(
    connection: Connection, advances: Sequence[Advance]
) -> list[StoreError | None]:
    """Batches of crawls that go on."""
    errors = _lost(connection, advances)
    going = [advance for advance in advances if id(advance) not in errors]
    applied = apply_steps(connection, [advance.step for advance in going])
    for advance, answer in zip(going, applied, strict=True):
        if isinstance(answer, StoreError):
            errors[id(advance)] = answer
        elif advance.part is not None:
            note_chunk(connection, advance.part, advance.counts)
        else:
            note_answered(
                connection,
                advance.crawl_id,
                advance.position,
                advance.names,
                advance.counts,
            )
    kept = [a.step.claim for a in advances if id(a) not in errors]
    count_anew(connection, kept)
    return [errors.get(id(advance)) for advance in advances]


def _lost(connection: Connection, advances: Sequence[Advance]) -> dict[int, StoreError]:
    """Batches of chunks that are not ours any more. For the others it is read what was
    pushed meanwhile: with the repositories locked, so that no push comes between."""
    parts = [(a, a.part) for a in advances if a.part is not None]
    if not parts:
        return {}
    lock_repositories(connection, {a.step.claim.repository_id for a in advances})
    errors: dict[int, StoreError] = {}
    for advance, part in parts:
        meanwhile = advance.step.meanwhile
        if not is_held(connection, part.key):
            errors[id(advance)] = stale(part.key.claim)
        elif meanwhile.is_elsewhere:
            meanwhile.overtaken = read_overtaken(connection, advance.crawl_id)
    return errors


class CrawlEnd(Struct, frozen=True):
    """A crawl that has come to its end.

    step:   the only batch of it, kept by the transaction that ends it; None: whatever
        there was is kept
    pushes: that it answers, by their ids
    measuring: the job that asks for the layers of what it has found, or None
    """

    closing: Closing
    judging: Judging
    step: WriteStep | None = None
    pushes: Sequence[int] = ()
    measuring: Job | None = None

    @property
    def repository_id(self) -> int:
        return self.closing.claim.repository_id

    @property
    def is_first(self) -> bool:
        """Whether no crawl of the repository was complete before."""
        return self.closing.claim.crawl_number == 0


def finish_many(
    connection: Connection, endings: Sequence[CrawlEnd]
) -> list[StoreError | None]:
    """Keep what waits, bring the read model up to date, judge what changed, and close.

    An error for each of which nothing is kept: another process has it, or its data
    breaks a rule.
    """
    going = _ours(connection, endings)
    failed = _keep(connection, going)
    going = [ending for ending in going if id(ending) not in failed]
    _sum_up(connection, going)
    _answer_pushes(connection, going)
    # With those that are not ours: they may have been closed before.
    closed = [ending for ending in endings if id(ending) not in failed]
    lost = close_many(connection, [ending.closing for ending in closed])
    failed |= _errors(closed, lost)
    _have_measured(connection, [e for e in closed if id(e) not in failed])
    return [failed.get(id(ending)) for ending in endings]


def _ours(connection: Connection, endings: Sequence[CrawlEnd]) -> list[CrawlEnd]:
    """Those whose claims hold still, and that nobody takes over until we commit."""
    latest: dict[int, CrawlEnd] = {}
    for ending in sorted(endings, key=lambda e: e.closing.claim.fence):
        latest[ending.repository_id] = ending
    held = lock_ours(connection, [e.closing.claim for e in latest.values()])
    return [e for number, e in sorted(latest.items()) if number in held]


def _keep(connection: Connection, endings: Sequence[CrawlEnd]) -> dict[int, StoreError]:
    """Their only batches; what went wrong, by the ending's identity."""
    with_steps = [e for e in endings if e.step is not None]
    applied = apply_steps(connection, [e.step for e in with_steps if e.step])
    return _errors(with_steps, applied)


def _errors(
    endings: Sequence[CrawlEnd], answers: Sequence[object]
) -> dict[int, StoreError]:
    return {
        id(ending): answer
        for ending, answer in zip(endings, answers, strict=True)
        if isinstance(answer, StoreError)
    }


def _sum_up(connection: Connection, endings: Sequence[CrawlEnd]) -> None:
    for judging, group in _alike(endings):
        now = max(ending.closing.now for ending in group)
        again = [e.repository_id for e in group if not e.is_first]
        refresh_and_judge(connection, again, now, judging)
        first = [e for e in group if e.is_first]
        refresh_many(
            connection, [e.repository_id for e in first], now, judging.platforms
        )
        complete = [e.repository_id for e in first if e.closing.result.complete]
        end_first_crawls(connection, complete, now, judging)


def _alike(endings: Sequence[CrawlEnd]) -> list[tuple[Judging, list[CrawlEnd]]]:
    """Those that are judged by the same together."""
    groups: list[tuple[Judging, list[CrawlEnd]]] = []
    for ending in endings:
        for judging, group in groups:
            if judging == ending.judging:
                group.append(ending)
                break
        else:
            groups.append((ending.judging, [ending]))
    return groups


def _have_measured(connection: Connection, endings: Sequence[CrawlEnd]) -> None:
    """Soon after; whoever crawls asks for it sooner, unless its process ends."""
    due: dict[Job, datetime] = {}
    for ending in endings:
        result = ending.closing.result
        if ending.measuring is not None and (result.tags_new or result.tags_moved):
            due.setdefault(ending.measuring, ending.closing.now + MEASURED_WITHIN)
    for job, at in sorted(due.items()):
        # The last lock of the transaction: nobody has it and waits for another.
        make_due(connection, job, at)


def _answer_pushes(connection: Connection, endings: Sequence[CrawlEnd]) -> None:
    """A crawl that did not come to the end of the listing has answered nothing."""
    for ending in endings:
        result = ending.closing.result
        if ending.pushes and (result.complete or result.state == "missing"):
            note_done(connection, ending.pushes, "looked", ending.closing.now)
