"""What is kept under a claim: a repository's answers, or those of a chunk."""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from weighbridge.engine.crawl.repository.tally import Tally
from weighbridge.engine.crawl.repository.write_steps import Meanwhile
from weighbridge.store.crawls.chunks import Advanced, ChunkEnd, HeldChunk
from weighbridge.store.leases.claiming import Claim


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
