"""What one process has counted of a crawl, or of a chunk."""

from typing import Final

from msgspec import Struct, field

from weighbridge.domain.image.digest import Digest
from weighbridge.engine.tags.tag_request import TagAnswer, TagFault

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
