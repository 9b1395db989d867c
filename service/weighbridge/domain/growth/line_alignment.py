"""Which line of one image is which line of another one."""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from weighbridge.domain.growth.tag_stream import without_numbers
from weighbridge.domain.image.instruction import keyword
from weighbridge.domain.size.weighing import WeighedImage, WeighedLine

_MOST_CELLS: Final = 250_000
"""Where two images have more pairs of lines that may be the same than this, the rest
is compared without regard to order: whoever pushes decides how many lines there are."""
_LONGEST: Final = 2_000
"""Characters of an instruction by which it is known."""


class Pair(Struct, frozen=True):
    """A line before and after. None: there was none, or there is none now."""

    before: WeighedLine | None
    after: WeighedLine | None

    @property
    def instruction(self) -> str:
        """As it is now, or as it was."""
        line = self.after or self.before
        return "" if line is None else line.instruction


def align_lines(before: WeighedImage, after: WeighedImage) -> list[Pair]:
    """The lines of both images in their order, each once.

    Lines are the same where their text is, but for numbers and hashes in it. Between
    two that are the same, lines of the same instruction stand for one that was
    changed.
    """
    is_known = "unresolved" not in (before.history_alignment, after.history_alignment)
    old = [_name(before, line, is_known=is_known) for line in before.lines]
    new = [_name(after, line, is_known=is_known) for line in after.lines]
    pairs: list[Pair] = []
    i = j = 0
    for a, b in [*_matches(old, new), (len(old), len(new))]:
        pairs += _between(before.lines[i:a], after.lines[j:b])
        if a < len(old):
            pairs.append(Pair(before.lines[a], after.lines[b]))
        i, j = a + 1, b + 1
    return pairs


def _name(image: WeighedImage, line: WeighedLine, *, is_known: bool) -> str:
    """By what a line is known: its text, or where texts say nothing its layer."""
    if is_known or line.layer is None:
        return without_numbers(line.instruction[:_LONGEST])
    return image.layers[line.layer].digest


def _matches(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Places that are the same, both ascending: the longest such list."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[~end] == new[~end]:
        end += 1
    leading = [(n, n) for n in range(start)]
    trailing = [(len(old) - n, len(new) - n) for n in range(end, 0, -1)]
    middle = _longest_common(
        old[start : len(old) - end], new[start : len(new) - end], start
    )
    return [*leading, *middle, *trailing]


def _longest_common(
    old: Sequence[str], new: Sequence[str], offset: int
) -> Iterator[tuple[int, int]]:
    """The longest common subsequence, by the table of all pairs; nothing at all where
    that table would be too large."""
    if len(old) * len(new) > _MOST_CELLS:
        return
    lengths = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in range(len(old) - 1, -1, -1):
        for j in range(len(new) - 1, -1, -1):
            lengths[i][j] = (
                lengths[i + 1][j + 1] + 1
                if old[i] == new[j]
                else max(lengths[i + 1][j], lengths[i][j + 1])
            )
    i = j = 0
    while i < len(old) and j < len(new):
        if old[i] == new[j]:
            yield i + offset, j + offset
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i += 1
        else:
            j += 1


def _between(
    before: Sequence[WeighedLine], after: Sequence[WeighedLine]
) -> Iterator[Pair]:
    """What lies between two lines that are the same: one that was changed has the
    same instruction, RUN for RUN, in the same order."""
    waiting: dict[str, list[WeighedLine]] = {}
    for line in before:
        waiting.setdefault(_kind(line), []).append(line)
    counts = dict.fromkeys(waiting, 0)
    for line in after:
        kind = _kind(line)
        place = counts.get(kind, 0)
        if place < len(waiting.get(kind, ())):
            counts[kind] = place + 1
            yield Pair(waiting[kind][place], line)
        else:
            yield Pair(None, line)
    for kind, lines in waiting.items():
        for line in lines[counts[kind] :]:
            yield Pair(line, None)


def _kind(line: WeighedLine) -> str:
    return f"{keyword(line.instruction)} {line.layer is not None}"
