"""What the repositories of each registry come to: kept by triggers, read at once.

`sum_triggers` adds every change of a repository, of its summary and of a
storage scope, in the transaction that makes it, so the sums are as exact as the rows.
On PostgreSQL each change is a row of its own until `fold` puts it to the others:
nobody waits for anybody, and readers add up whatever rows there are.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
)

from weighbridge.domain.report.inventory import RepositoryState
from weighbridge.store.dialect import Purpose, lock
from weighbridge.store.ledger.expressions import sum_of
from weighbridge.store.models import (
    LISTED_STATES,
    SUMS_OF_BYTES,
    registries,
    registry_sums,
)
from weighbridge.store.session import Database

SQLRow: TypeAlias = Row[*tuple[object, ...]]
Sums: TypeAlias = Mapping[str, int]
"""By name; bytes are put together from their halves."""

MANY: Final = 500
"""Rows that are left for readers to add up."""
_FOLDED: Final = 20_000
"""Rows that are put together by one statement."""
_sums = registry_sums.c
_HALVES: Final = tuple(
    f"{name}_{half}" for name in SUMS_OF_BYTES for half in ("high", "low")
)
_COUNTS: Final = (
    "repositories",
    *(f"are_{state}" for state in LISTED_STATES),
    "are_crawled",
    "tags_held",
    "tags",
    "tags_failed",
    "with_image",
    "summed_up",
    "images",
)
SUMS: Final = (*_COUNTS, *_HALVES)
"""The columns that are summed up."""
_COLUMNS: Final = (*SUMS, "revision")


def _total(name: str) -> ColumnElement[int]:
    return cast(func.coalesce(func.sum(_sums[name]), 0), BigInteger).label(name)


KEPT: Final = select(_sums.registry_id, *map(_total, SUMS)).group_by(_sums.registry_id)
_REVISION: Final = select(_total("revision"))
# Folded, a registry has one row, and so have the changes.
_FOLDED_ROWS: Final = select(func.count() + 1).select_from(registries)
_IS_MANY: Final = (
    select(_sums.id).offset(MANY + _FOLDED_ROWS.scalar_subquery()).limit(1)
)
_OLDEST: Final = select(_sums.id).order_by(_sums.id).limit(_FOLDED)
_TAKEN: Final = (
    delete(registry_sums)
    .where(_sums.id.in_(_OLDEST))
    .returning(*registry_sums.columns)
    .cte("taken")
)
_FOLD: Final = (
    insert(registry_sums)
    .from_select(
        ["registry_id", *_COLUMNS],
        select(
            _TAKEN.c.registry_id,
            *(cast(func.sum(_TAKEN.c[name]), BigInteger) for name in _COLUMNS),
        )
        .group_by(_TAKEN.c.registry_id)
        # Of a registry that is forgotten nothing is left.
        .having(or_(*(func.sum(_TAKEN.c[name]) != 0 for name in _COLUMNS))),
    )
    .returning(registry_sums.c.id)
)


def registry_totals(connection: Connection) -> dict[int, Sums]:
    """By the registry's id; a registry without repositories may be missing."""
    return {
        row.registry_id: _read(row)
        for row in connection.execute(KEPT)
        if row.registry_id
    }


def states_of(sums: Sums) -> dict[RepositoryState, int]:
    """How many repositories have each state."""
    return {state: sums[f"are_{state}"] for state in LISTED_STATES}


def changes_noted(connection: Connection) -> int:
    """How often repositories, their summaries, storage scopes or violations changed."""
    noted: int = connection.execute(_REVISION).scalar_one()
    return noted


def fold(database: Database) -> None:
    """PostgreSQL: put the rows of each registry together, where there are many."""
    kept = 0
    while kept <= MANY and _is_many(database):
        with database.write() as connection:
            lock(connection, Purpose.FOLD)
            # So many at least were taken, so that fewer are left each time.
            kept = len(connection.execute(_FOLD).all())


def _is_many(database: Database) -> bool:
    if database.settles_at_once:
        return False
    with database.read() as connection:
        return connection.execute(_IS_MANY).scalar() is not None


def _read(row: SQLRow) -> Sums:
    counts = {name: int(row._mapping[name]) for name in _COUNTS}
    return counts | {name: sum_of(row, name) for name in SUMS_OF_BYTES}
