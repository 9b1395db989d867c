"""A table on a terminal: which columns it has room for; rich lays them out."""

import io
from collections.abc import Sequence
from typing import Final, Generic

from msgspec import Struct
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from weighbridge.domain.text.printable import printable
from weighbridge.presentation.forms.screen import COLOURS, Role, Screen, columns
from weighbridge.presentation.forms.table import Column, Row

_GAP: Final = 2
_LEAST_LINE: Final = 24
_LEAST_NAME: Final = 16


class _Shown(Struct, Generic[Row]):
    """A column with its cells; `width`: of the widest of these."""

    column: Column[Row]
    head: Sequence[str]
    cells: Sequence[str]

    @property
    def width(self) -> int:
        # rich crops what it takes for wider, even where nothing is to be cut.
        texts = (*self.head, *self.cells)
        return max(max(columns(text), cell_len(text)) for text in texts)

    @property
    def least(self) -> int:
        """The columns of the terminal below which it is not cut before others go."""
        is_line = self.column.kind == "line"
        return min(self.width, _LEAST_LINE) if is_line else self.width


class Drawing(Generic[Row]):
    """The columns that fit into a screen.

    left_out: the headings of the others
    """

    def __init__(
        self,
        table: Sequence[Column[Row]],
        rows: Sequence[Row],
        screen: Screen,
        margin: int,
    ) -> None:
        self._rows = rows
        self._screen = screen
        self._margin = margin
        self._has_units = any(column.unit for column in table)
        filled = [self._filled(column) for column in table]
        self._shown = [one for one in filled if one.width]
        self.left_out: list[str] = []
        if screen.width is not None:
            self._fit(screen.width - margin)

    def lines(self, roles: Sequence[Role | None]) -> list[str]:
        """The head, then a line a row. roles: the colour of each row"""
        colour = self._screen.colour
        table = Table(
            box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style=""
        )
        for one in self._shown:
            table.add_column(
                Text("\n".join(one.head)),
                justify="right" if one.column.kind == "number" else "left",
                no_wrap=True,
                overflow="crop",
                width=one.width,
            )
        for index, role in enumerate(roles):
            table.add_row(
                *(
                    _painted(one.cells[index], one.column.role or role)
                    for one in self._shown
                )
            )
        file = io.StringIO()
        console = Console(
            file=file,
            width=self._needed() if self._room is None else max(self._room, 1),
            height=1,  # without it, rich takes 80 columns where TERM is `unknown`
            color_system="standard" if colour else None,
            force_terminal=colour,
            no_color=not colour,
            legacy_windows=False,
        )
        console.print(table)
        margin = " " * self._margin
        return [f"{margin}{line}".rstrip() for line in file.getvalue().split("\n")[:-1]]

    @property
    def _room(self) -> int | None:
        width = self._screen.width
        return None if width is None else width - self._margin

    def _filled(self, column: Column[Row]) -> _Shown[Row]:
        head = [column.title.upper(), column.unit]
        if not self._has_units:
            head = head[:1]
        elif not column.unit:
            head.reverse()
        return _Shown(column, head, [printable(column.cell(row)) for row in self._rows])

    def _needed(self) -> int:
        return self._gaps() + sum(one.width for one in self._shown)

    def _gaps(self) -> int:
        return _GAP * (len(self._shown) - 1)

    def _fit(self, room: int) -> None:
        while self._over(room) > 0 and (going := self._least_important()) is not None:
            column = self._shown[going].column
            if column.instead is not None:
                self._shown[going] = self._filled(column.instead)
                continue
            del self._shown[going]
            if column.heading:
                self.left_out.append(column.title or column.unit)
        for one in self._shown:
            if (over := self._over(room)) > 0 and one.column.kind == "name":
                kept = max(one.width - over, _LEAST_NAME)
                one.head = [self._screen.cut_to(text, kept) for text in one.head]
                one.cells = [self._screen.end_of(text, kept) for text in one.cells]
        for one in self._shown:
            if (over := self._needed() - room) > 0 and one.column.kind == "line":
                kept = max(one.width - over, 1)
                one.head = [self._screen.cut_to(text, kept) for text in one.head]
                one.cells = [self._screen.cut_to(text, kept) for text in one.cells]

    def _over(self, room: int) -> int:
        return self._gaps() + sum(one.least for one in self._shown) - room

    def _least_important(self) -> int | None:
        going = [
            (one.column.rank or 0, -index)
            for index, one in enumerate(self._shown)
            if not one.column.stays
        ]
        return -min(going)[1] if going else None


def _painted(cell: str, role: Role | None) -> Text:
    """The text alone in colour, not what fills its column."""
    text = Text(cell)
    if role is not None:
        text.stylize(f"color({COLOURS[role]})")
    return text
