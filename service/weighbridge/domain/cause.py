"""Why an image weighs more than the one before it: its lines compared with those."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

ChangeKind: TypeAlias = Literal["added", "removed", "grown", "shrunk", "replaced"]
"""What became of a line. `replaced`: the same instruction with another layer of the
same weight."""
CauseOf: TypeAlias = Literal["base", "own", "both", "unknown"]
"""`base`: the leading run of layers was replaced by another one, which another
repository has seen too; `own`: what comes after it; `unknown`: lines cannot be told
apart (no history, or one that fits no layers)."""


@dataclass(frozen=True, slots=True)
class LineChange:
    """One line that is not what it was. None: there was no such line, or it is not
    known what it weighs.

    grown_bytes: compressed; below 0 where it got lighter
    of_base:     whether it is part of the leading run that others share
    """

    kind: ChangeKind
    instruction: str
    before_compressed_bytes: int | None
    compressed_bytes: int | None
    grown_bytes: int
    of_base: bool = False


@dataclass(frozen=True, slots=True)
class Cause:
    """What changed between two images, the heaviest change first.

    key:         what it is to have the same cause, 32 bytes: the layers up to the first
                 one that differs, before and after. None where nothing can be shared
    changes:     at most `CHANGES` of them
    grown_bytes: compressed bytes of the image, against the one before
    base_grown_bytes: of that, the leading run that others share
    """

    of: CauseOf
    key: bytes | None
    changes: tuple[LineChange, ...]
    grown_bytes: int
    base_grown_bytes: int = 0
