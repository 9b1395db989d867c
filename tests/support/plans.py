"""By what ways a database finds the rows of what is asked of it."""

import re
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, event

from support.sqlite_steps import every
from weighbridge.store.dialect import POSTGRESQL
from weighbridge.store.session import Database

_EXPLAIN: Final = {"sqlite": "EXPLAIN QUERY PLAN", "postgresql": "EXPLAIN"}
_FEW: Final = "ix_pushes_waiting|ix_repositories_lease_owner|ix_repositories_attempts"
"""Indexes that hold only what is in hand or waits: they may be read as a whole."""
_WHOLE: Final = {
    # "SCAN t", and "SCAN t USING INDEX i": all of an index is as long as its table.
    "sqlite": (rf"SCAN (\w+)\b(?! USING (?:COVERING )?INDEX (?:{_FEW})\b)",),
    "postgresql": (
        r"Seq Scan on (\w+)",
        rf"Index (?:Only )?Scan(?: Backward)? using (?!(?:{_FEW})\b)\w+ on (\w+)"
        r"[^\n]*(?!\n *Index Cond)(?:\n|$)",
    ),
}
_EXPLAINED: Final = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement, how long it took, and the database's plan for it.

    steps: of SQLite's machine that it took, in thousands; PostgreSQL tells of none
    """

    statement: str
    seconds: float
    steps: int
    plan: str
    whole: frozenset[str]

    def __str__(self) -> str:
        return f"{self.statement}\n{self.plan}"


def asked_by(
    database: Database, call: Callable[[Connection], object], *, is_small: bool = False
) -> list[Asked]:
    """All statements of `call`, in a transaction that is undone.

    is_small: PostgreSQL reads a small table as a whole, index or not; now it does so
        only where there is no index that would serve
    """
    noted: list[_Noted] = []
    with suppress(InterruptedError), database.write() as connection:
        with _noted(connection, noted):
            call(connection)
        raise InterruptedError
    with database.write() as connection:
        if is_small and connection.dialect.name == POSTGRESQL:
            for way in ("seqscan", "hashjoin", "mergejoin"):
                connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        return [_explained(connection, one) for one in noted]


def read_whole(asked: Collection[Asked], tables: Collection[str]) -> list[str]:
    """The statements that read one of these tables from its beginning to its end."""
    return [str(one) for one in asked if one.whole & set(tables)]


@dataclass(slots=True)
class _Noted:
    statement: str
    values: object
    seconds: float = 0.0
    steps: int = 0


@contextmanager
def _noted(connection: Connection, noted: list[_Noted]) -> Iterator[None]:
    began = 0.0

    def begin(
        _: object, __: object, statement: str, values: object, *___: object
    ) -> None:
        nonlocal began
        noted.append(_Noted(statement, values))
        began = time.perf_counter()

    def end(*_: object) -> None:
        noted[-1].seconds = time.perf_counter() - began

    def step() -> None:
        # Those of its rows too, which are read until the next one begins.
        if noted:
            noted[-1].steps += 1

    event.listen(connection, "before_cursor_execute", begin)
    event.listen(connection, "after_cursor_execute", end)
    try:
        with every(1_000, connection, step):
            yield
    finally:
        event.remove(connection, "before_cursor_execute", begin)
        event.remove(connection, "after_cursor_execute", end)


def _explained(connection: Connection, one: _Noted) -> Asked:
    name = connection.dialect.name
    plan = ""
    if one.statement.lstrip().startswith(_EXPLAINED):
        assert isinstance(one.values, tuple | dict)
        explain = f"{_EXPLAIN[name]} {one.statement}"
        rows = connection.exec_driver_sql(explain, one.values)
        plan = "\n".join(str(row[-1]) for row in rows)
    whole = {table for part in _WHOLE[name] for table in re.findall(part, plan)}
    return Asked(one.statement, one.seconds, one.steps, plan, frozenset(whole))
