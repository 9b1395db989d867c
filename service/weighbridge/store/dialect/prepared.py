"""A statement for many rows, ready for a database, and how the rows travel there.

PostgreSQL gets one statement over arrays, half the price of executemany there. SQLite
gets a few statements of many rows each: for each row of an executemany, as for each
row that is read (see `rows`), Python gives the interpreter's lock away.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Final, TypeAlias

from sqlalchemy import Column, Connection, Dialect

Row: TypeAlias = tuple[Any, ...]

_PIECES: Final = (256, 64, 16, 4, 1)
"""So many rows a statement has on SQLite, which keeps each of them compiled."""


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
    """SQLite: some statements, with a parameter for each value."""

    def __init__(
        self,
        text_for: Callable[[str], str],
        columns: Sequence[Column[object]],
        dialect: Dialect,
    ) -> None:
        super().__init__(columns, dialect)
        row = f"({', '.join('?' for _ in columns)})"
        self._texts = {
            rows: text_for(f"VALUES {', '.join([row] * rows)}") for rows in _PIECES
        }
        self._width = len(columns)

    def run(self, connection: Connection, rows: Sequence[Row]) -> Sequence[Row]:
        converted = zip(*self._converted(rows), strict=True)
        values = list(chain.from_iterable(converted))
        at, left = 0, len(rows)
        for size in _PIECES:
            while left >= size:
                end = at + size * self._width
                connection.exec_driver_sql(self._texts[size], tuple(values[at:end]))
                at, left = end, left - size
        return ()
