"""As many pieces as fit; the rest is counted."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Piece = TypeVar("Piece")


def fitting(
    pieces: Sequence[Piece], room: int, most: int, weigh: Callable[[Piece], int]
) -> tuple[Sequence[Piece], int]:
    """The first pieces that fit, and how many are left out.

    room: what all of them may weigh together
    most: how many there may be
    """
    for count, piece in enumerate(pieces):
        room -= weigh(piece)
        if room < 0 or count == most:
            return pieces[:count], len(pieces) - count
    return pieces, 0
