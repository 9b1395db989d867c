"""A statement for many rows, ready for a database, and how the rows travel there.

PostgreSQL gets one statement over arrays, half the price of executemany there. SQLite
gets as few statements as can be: for each of them, for each row of an executemany and
for each row that is read (see `rows`), Python gives the interpreter's lock away, and
waits for it beside a thread that computes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, repeat
from typing import Any, Final, TypeAlias

from sqlalchemy import Column, Connection, Dialect

Row: TypeAlias = tuple[Any, ...]

_PIECES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""So many rows a statement may have on SQLite."""
_LONGEST: Final = _PIECES[-1]


class Prepared(ABC):
    """A statement in a database's own words, with what each column's values need."""

    def __init__(self, columns: Sequence[Column[object]], dialect: Dialect) -> None:
        self._converts = [column.type.bind_processor(dialect) for column in columns]

    def _converted(self, rows: Sequence[Row]) -> list[Iterable[object]]:
        """Column by column."""
        return [
            values if convert is None else map(convert, values)
            for convert, values in zip(
                self._converts, zip(*rows, strict=True), strict=True
            )
        ]

    @abstractmethod
    def run(self, connection: Connection, rows: Sequence[Row]) -> Sequence[Row]:
        """For all rows; returns what the statement returns."""


class OverArrays(Prepared):
    """PostgreSQL: one statement, with an array for each column."""

    def __init__(
        self, text: str, columns: Sequence[Column[object]], dialect: Dialect
    ) -> None:
        super().__init__(columns, dialect)
        self._text = text

    def run(self, connection: Connection, rows: Sequence[Row]) -> Sequence[Row]:
        arrays = tuple([list(values) for values in self._converted(rows)])
        result = connection.exec_driver_sql(self._text, arrays)
        return result.all() if result.returns_rows else ()


class InPieces(Prepared):
    """SQLite: one statement for each 256 rows, and one for the rest, filled up with
    rows of NULLs. Each length is a statement of its own, which the driver keeps
    compiled: so there are few lengths."""

    def __init__(
        self,
        text_for: Callable[[str], str],
        columns: Sequence[Column[object]],
        dialect: Dialect,
    ) -> None:
        super().__init__(columns, dialect)
        self._nothing = (None,) * len(columns)
        row = f"({', '.join('?' for _ in columns)})"
        self._texts = {
            rows: text_for(f"VALUES {', '.join([row] * rows)}") for rows in _PIECES
        }

    def run(self, connection: Connection, rows: Sequence[Row]) -> Sequence[Row]:
        converted = list(zip(*self._converted(rows), strict=True))
        returned: list[Row] = []
        for start in range(0, len(converted), _LONGEST):
            piece = converted[start : start + _LONGEST]
            length = next(length for length in _PIECES if length >= len(piece))
            filled = chain(piece, repeat(self._nothing, length - len(piece)))
            values = tuple(chain.from_iterable(filled))
            result = connection.exec_driver_sql(self._texts[length], values)
            if result.returns_rows:
                returned += result.all()
        return returned
