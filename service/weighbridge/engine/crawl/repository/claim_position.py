"""What is kept under a claim: a repository's answers, or those of a chunk."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from msgspec import Struct, field

from weighbridge.domain.image.digest import Digest
from weighbridge.engine.crawl.repository.write_steps import Meanwhile
from weighbridge.engine.tags.tag_request import TagAnswer, TagFault
from weighbridge.store.crawls.chunks import Advanced, ChunkEnd, HeldChunk
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


class Where(Struct, frozen=True):
    """What is kept under a claim.

    is_new:   there is nothing of the repository to be compared with
    position: of the cursor's next piece
    chunk:    the one that the answers are of; None: of none
    """

    claim: Claim
    crawl_id: int
    meanwhile: Meanwhile
    is_new: bool = False
    position: int = 0
    chunk: HeldChunk | None = None


class ChunkPosition:
    """How far a chunk has come."""

    def __init__(self, chunk: HeldChunk) -> None:
        self._chunk = chunk
        self._names = list(chunk.names)
        self._step = chunk.step

    def advance(
        self, names: Iterable[str], tally: Tally, now: datetime, *, is_done: bool
    ) -> Advanced:
        """With these names more."""
        self._names += names
        self._step += 1
        key, before = self._chunk.key, self._chunk.found
        faults = [*before.faults, *((f.tag, f.code, f.message) for f in tally.faults)]
        found = ChunkEnd(tally.unanswered, faults, key.owner)
        return Advanced(key, now, self._step, tuple(self._names), found, is_done)
