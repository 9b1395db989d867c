"""Tables on a narrow terminal: figures give way, what a row is of stays."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from weighbridge.presentation.forms.screen import Screen, columns

_GAP: Final = 2
_LEAST_TEXT: Final = 24
_LEAST_NAME: Final = 16


class Narrowed(Struct, frozen=True):
    """What is left of a table.

    rows:     the titles first
    left_out: the titles of the columns that gave way
    """

    rows: tuple[Sequence[str], ...]
    left_out: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """What to say below it, "" where all is there."""
        if not self.left_out:
            return ""
        return f"no room for {', '.join(self.left_out).lower()}: -o csv has all"


def narrowed(
    rows: Sequence[Sequence[str]], screen: Screen, leaving: Sequence[str]
) -> Narrowed:
    """Leave out columns by their titles, in this order, until the others fit. The last
    column is a text, of which some words will do; before it stands a name, of which the
    end stays."""
    width = screen.width
    if width is None:
        return Narrowed(tuple(rows))
    kept, left_out = list(rows), []
    for title in leaving:
        if _needed(kept) <= width:
            break
        kept = [_without(row, kept[0].index(title)) for row in kept]
        left_out.append(title)
    if (over := _needed(kept) - width) > 0:
        names = max(columns(row[-2]) for row in kept)
        room = max(names - over, _LEAST_NAME)
        kept = [[*row[:-2], screen.end_of(row[-2], room), row[-1]] for row in kept]
    return Narrowed(tuple(kept), tuple(left_out))


def _needed(rows: Sequence[Sequence[str]]) -> int:
    """The columns of the terminal for all of it, with the least of the text."""
    widths = [max(map(columns, cells)) for cells in zip(*rows, strict=True)]
    widths[-1] = min(widths[-1], _LEAST_TEXT)
    return sum(widths) + _GAP * (len(widths) - 1)


def _without(row: Sequence[str], index: int) -> list[str]:
    return [*row[:index], *row[index + 1 :]]
