"""Names and conditions as a database wants them written."""

from collections.abc import Sequence

from sqlalchemy import ClauseElement, Column, Dialect, Table


class Words:
    """Of one table, in one dialect."""

    def __init__(self, table: Table, dialect: Dialect) -> None:
        self._dialect = dialect
        self._quote = dialect.identifier_preparer.quote
        self.table = self._quote(table.name)

    def name(self, column: Column[object]) -> str:
        return self._quote(column.name)

    def names(self, columns: Sequence[Column[object]]) -> str:
        return ", ".join(map(self.name, columns))

    def expression(self, clause: ClauseElement) -> str:
        options = {"literal_binds": True}
        return str(clause.compile(dialect=self._dialect, compile_kwargs=options))

    def unnested(self, columns: Sequence[Column[object]]) -> str:
        """One row for each place in the arrays."""
        arrays = (f"%s::{c.type.compile(self._dialect)}[]" for c in columns)
        return f"unnest({', '.join(arrays)})"

    def given(self, columns: Sequence[Column[object]]) -> str:
        """The same, as a table named `given`."""
        return f"{self.unnested(columns)} AS given({self.names(columns)})"

    def listed(self, columns: Sequence[Column[object]], values: str) -> str:
        """The same of `VALUES (...), ...`, whose columns SQLite numbers."""
        named = (f"column{n} AS {self.name(c)}" for n, c in enumerate(columns, 1))
        return f"(SELECT {', '.join(named)} FROM ({values})) AS given"

    def matches(self, key: Sequence[Column[object]], value: str) -> str:
        """`table.a = ... AND table.b = ...`; in `value`, {} is the column's name."""
        return " AND ".join(
            f"{self.table}.{name} = {value.format(name)}"
            for name in map(self.name, key)
        )
