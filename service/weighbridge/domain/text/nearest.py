"""Which of the names that there are somebody may have meant by one that is not."""

import difflib
from collections.abc import Iterable
from heapq import nlargest
from itertools import takewhile
from typing import Final

_COMPARED: Final = 50
"""Names that are compared whole: two of 128 characters take up to a millisecond, and
whoever pushes decides how many there are and how long."""


def nearest(
    wanted: str, known: Iterable[str], most: int = 3, alike: float = 0.5
) -> list[str]:
    """The names that are most like it, the nearest first; at most so many.

    Of many names those are compared that begin and end most like it.

    alike: how much they have in common at least, from 0 to 1 (difflib's ratio)
    """
    names = list(dict.fromkeys(known))
    if len(names) > _COMPARED:
        names = nlargest(_COMPARED, names, key=lambda name: _at_both_ends(wanted, name))
    return difflib.get_close_matches(wanted, names, most, alike)


def _at_both_ends(one: str, other: str) -> tuple[int, int]:
    """How many characters they begin and end with alike; then those of about the same
    length."""
    start = _alike(one, other)
    end = _alike(reversed(one[start:]), reversed(other[start:]))
    return start + end, -abs(len(one) - len(other))


def _alike(one: Iterable[str], other: Iterable[str]) -> int:
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in pairs)
