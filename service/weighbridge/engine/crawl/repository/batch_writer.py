"""Keeps what a crawl learns: batches, each with the cursor's next piece or the position
of a chunk, and what this process has counted."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from weighbridge.domain import limits
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Document, Image
from weighbridge.engine.context.crawl_context import CrawlContext
from weighbridge.engine.crawl.repository.transactions import (
    Advance,
    Meanwhile,
    WriteStep,
    keep,
)
from weighbridge.engine.documents.reading import PROCESS, kept_bytes
from weighbridge.engine.tags.tag_request import (
    Batch,
    TagAnswer,
    TagFault,
    batch_of,
    readings_of,
)
from weighbridge.engine.tasks.side_by_side import TaskGroup
from weighbridge.ports.protocols import RequestCost
from weighbridge.store.crawls.chunks import Advanced, ChunkEnd, CrawlCounts, HeldChunk
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.leases.claiming import Claim

FAULTS: Final = 100


class Tally(Struct):
    """What this process has counted of a crawl.

    is_plain: all that was found to be new is whole: nothing need be asked for again
    """

    answered: int = 0
    new: int = 0
    moved: int = 0
    failed: int = 0
    unchanged: int = 0
    unanswered: str = ""
    faults: list[TagFault] = field(default_factory=list)
    asked_in_vain: set[Digest] = field(default_factory=set)
    is_plain: bool = True

    def add(self, answer: TagAnswer) -> None:
        """Count an answer that is kept."""
        self.answered += 1
        self.new += answer.is_new
        self.moved += answer.is_moved
        self.unchanged += answer.is_unchanged
        self.failed += answer.fault is not None
        self.unanswered = self.unanswered or answer.unanswered
        if answer.fault is not None and len(self.faults) < FAULTS:
            self.faults.append(answer.fault)


LINGER_S: Final = 0.25
"""An answer waits no longer for others to be written with it."""
NOTE_S: Final = 5.0
"""So often a crawl that finds nothing changed notes how far it is: its rows do not
grow with its tags, and a kill costs no more than that."""
_PIECE_BYTES: Final = 4 * limits.MIB
"""Documents that one transaction stores, roughly; ordinary batches have less."""


class BatchWriter:
    """Stores a crawl's answers, or those of a chunk, while it goes on asking.

    is_new:   there is nothing of the repository to be compared with
    position: of the cursor's next piece
    chunk:    the one that the answers are of; None: of none
    """

    def __init__(
        self,
        context: CrawlContext,
        claim: Claim,
        crawl_id: int,
        meanwhile: Meanwhile,
        cost: RequestCost,
        group: TaskGroup,
        *,
        is_new: bool = False,
        position: int = 0,
        chunk: HeldChunk | None = None,
    ) -> None:
        self.tally = Tally()
        self.meanwhile = meanwhile
        self.crawl_id = crawl_id
        self._context = context
        self._claim = claim
        self._is_new = is_new
        self._chunk = chunk
        self._cost = cost
        self._group = group
        self._counted = CrawlCounts()
        self._answers: list[TagAnswer] = []
        self._names: list[str] = []
        self._position = position
        self._taken = 0
        self._held = 0
        self._is_saving = False
        self._is_wanted = False
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._noted_at = self._loop.time()
        context.unsaved.register(self)

    @property
    def waiting(self) -> int:
        """See `Gatherer`; none while a batch that was asked for is being
        written: what came in since follows it."""
        return 0 if self._is_wanted else len(self._answers)

    @property
    def has_chunks(self) -> bool:
        """Whether pieces of the cursor are kept."""
        return self._position > 0

    async def place(self) -> None:
        """Wait until one more tag may be asked about."""
        await self._context.unsaved.take(self._claim.repository_id)
        self._taken += 1

    def drop(self) -> None:
        """A tag that was to be asked about is left unanswered: its place is free."""
        self._give(1)

    def add(self, answer: TagAnswer, *, has_place: bool = True) -> None:
        """Take an answer over. It counts once it is stored, or if there is nothing
        to store."""
        if answer.is_unchanged:
            self.tally.add(answer)
            self._names.append(answer.name)
            if has_place:
                self._give(1)
            if self._loop.time() - self._noted_at > NOTE_S:
                self._want()
            return
        self._answers.append(answer)
        self._hold(answer)
        self._context.unsaved.answered()
        if self._timer is None and not self._is_saving:
            self._timer = self._loop.call_later(LINGER_S, self.flush)

    def flush(self) -> None:
        """Store what there is to store, soon. Where the cursor stands is not worth a
        transaction of its own."""
        if self._answers:
            self._want()

    def take_rest(self) -> WriteStep | None:
        """All that the crawl was answered, to be kept by whoever ends it. None: there
        is nothing, or it is to be kept before that, and is, soon."""
        if self._is_saving or self._is_wanted or self.has_chunks or not self._answers:
            self.flush()
            return None
        batch = batch_of(self._answers)
        if not batch.is_plain or kept_bytes(batch.documents) > _PIECE_BYTES:
            self.flush()
            return None
        self._stop_timer()
        self._answers, self._names = [], []
        self._count(batch)
        return self._step(batch)

    def note_kept(self, step: WriteStep) -> None:
        """The store has what `take_rest` gave."""
        self._forget(step.batch)

    def close(self) -> None:
        """Give back what is left of a crawl that ended, well or not."""
        self._context.unsaved.unregister(self)
        self._stop_timer()
        self._give(self._taken)
        self._release(self._held)

    def counts(self) -> CrawlCounts:
        """What this process has done of it."""
        tally = self.tally
        return CrawlCounts(
            tags_seen=tally.answered,
            tags_new=tally.new,
            tags_moved=tally.moved,
            tags_failed=tally.failed,
            requests=self._cost.requests,
            bytes_read=self._cost.bytes_read,
        )

    def uncounted(self) -> CrawlCounts:
        """What of that no batch has counted."""
        return self.counts() - self._counted

    def next_position(self) -> int:
        """A place for one more piece of the cursor."""
        self._position += 1
        return self._position - 1

    async def end(self, *, is_done: bool) -> None:
        """Keep what is left of a chunk. is_done: that is all"""
        await self._group.finish()
        self._stop_timer()
        if is_done or self._answers or self._names:
            await self._save(is_done=is_done)

    def _want(self) -> None:
        self._is_wanted = True
        self._begin()

    def _begin(self) -> None:
        if not self._is_saving:
            self._is_saving = True
            self._group.spawn(self._save_all())

    async def _save_all(self) -> None:
        try:
            while self._is_wanted:
                self._is_wanted = False
                self._stop_timer()
                await self._save()
        finally:
            self._is_saving = False
        if self._answers and self._timer is None:
            self._timer = self._loop.call_later(LINGER_S, self.flush)

    async def _save(self, *, is_done: bool = False) -> None:
        batch, names = batch_of(self._answers), self._names
        self._answers, self._names = [], []
        self._count(batch)
        names = [*(a.name for a in batch.answers if not a.unanswered), *names]
        counts, self._counted = self.uncounted(), self.counts()
        step, part, position = self._step(batch), None, 0
        if self._chunk is None:
            position = self.next_position()
        else:
            part = self._advance(self._chunk, names, is_done=is_done)
        self._noted_at = self._loop.time()
        if kept_bytes(batch.documents) > _PIECE_BYTES:
            await self._keep_in_pieces(batch.documents)
            step = replace(step, batch=replace(batch, documents=()))
        advance = Advance(step, self.crawl_id, position, names, counts, part)
        await keep(self._context.writer, advance)
        self._forget(batch)

    def _advance(
        self, chunk: HeldChunk, names: Sequence[str], *, is_done: bool
    ) -> Advanced:
        """How far the chunk has come with these names more."""
        tally, now = self.tally, self._context.clock()
        all_names = (*chunk.names, *names)
        self._chunk = replace(chunk, names=all_names, step=chunk.step + 1)
        known = chunk.found.faults
        faults = [*known, *((f.tag, f.code, f.message) for f in tally.faults)]
        found = ChunkEnd(tally.unanswered, faults, chunk.key.owner)
        return Advanced(chunk.key, now, chunk.step + 1, all_names, found, is_done)

    def _count(self, batch: Batch) -> None:
        for answer in batch.answers:
            self.tally.add(answer)
        self.tally.is_plain &= batch.is_plain
        self.tally.asked_in_vain |= batch.missing.keys()
        self.tally.asked_in_vain |= {
            d.digest for d in batch.documents if isinstance(d, Image) and d.problems
        }

    def _step(self, batch: Batch) -> WriteStep:
        return WriteStep(
            self._claim,
            batch,
            self._context.clock(),
            self.meanwhile,
            is_first=self._is_new and not self.has_chunks,
        )

    def _forget(self, batch: Batch) -> None:
        """It is in the store now."""
        for reading in readings_of(batch.answers):
            self._context.reader.forget(reading)
        self._show(batch.documents)
        self._give(len(batch.answers))
        self._release(sum(map(_held_by, batch.answers)))

    async def _keep_in_pieces(self, documents: Sequence[Document]) -> None:
        """Rows take several times what documents do. Children come before the index
        that lists them; facts that nothing refers to yet are kept for a day."""
        piece: list[Document] = []
        for document in reversed(documents):
            piece.append(document)
            if kept_bytes(piece) > _PIECE_BYTES:
                await self._context.writer.write(keep_documents, piece, {})
                piece = []
        if piece:
            await self._context.writer.write(keep_documents, piece, {})

    def _hold(self, answer: TagAnswer) -> None:
        """Count what the answer led to until it is stored; much is stored at once."""
        size = _held_by(answer)
        self._held += size
        PROCESS.hold(size, is_done=True)
        if PROCESS.is_tight:
            self.flush()

    def _release(self, size: int) -> None:
        size = min(size, self._held)
        self._held -= size
        PROCESS.release(size, is_done=True)

    def _give(self, places: int) -> None:
        places = min(places, self._taken)
        self._taken -= places
        self._context.unsaved.give(places)

    def _show(self, documents: Iterable[Document]) -> None:
        progress = self._context.progress
        for document in documents:
            if isinstance(document, Image):
                progress.images += 1
                progress.weighed_bytes += document.compressed_bytes

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _held_by(answer: TagAnswer) -> int:
    return 0 if answer.reading is None else kept_bytes(answer.reading.documents)
