"""What a database says of its registries, without how and when it came to know it.

Two databases that saw the same registry have the same dump: one by a clean crawl,
the other through faults, crashes or another engine. Ids are replaced by digests and
names; times, counts of requests and crawls, leases and queues are left out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from sqlalchemy import Column, Connection, Table, UniqueConstraint, select

from support.row_names import BLOB_TABLES, RowNames
from weighbridge.domain.size.blob_format import claimed_format
from weighbridge.store.models import SCHEMA
from weighbridge.store.models.types import Moment
from weighbridge.store.session import Database, open_database

Row: TypeAlias = Mapping[str, object]
Dump: TypeAlias = Mapping[str, Row]
"""By the row's name, such as `tags near/shop/app 1.0`: its columns."""

LEFT_OUT: Final[Mapping[str, str]] = {
    "crawls": "how often it was looked at",
    "crawl_chunks": "the cursor of a crawl under way",
    "crawl_requests": "what somebody asked to be crawled",
    "jobs": "when which work is due",
    "blob_changes": "the settler's queue",
    "registry_sums": "sums of the rows of other tables, compared by `db verify`",
    "base_summaries": "sums of the rows of other tables, counted every few minutes",
    "base_savings": "counted with them",
    "repository_savings": "the same",
    "base_readings": "how far repositories were read for their bases",
    "repository_pulls": "how much was pulled when somebody asked",
    "tag_pulls": "the same of tags",
    "pull_months": "what was pulled while somebody counted",
    "storage_months": "what was stored while somebody counted",
    "touched_manifests": "what a pruning that is under way is told",
    "media_types": "shown where they are used",
    "platforms": "shown where they are used",
    "instructions": "shown where they are used",
    "tokens": "who may ask, not what a registry holds",
    "audit_log": "what admins did",
    "pushes": "what senders told of it",
    "unjudged": "what is still to be judged",
    "violations": "what was found by the limits, and when",
    "waivers": "what people have accepted",
    "notification_groups": "who was told",
    "notifications": "the same",
}
"""Tables that no dump has, and why."""
_WORK: Final = frozenset(
    {
        "url",
        "address",
        "interval_s",
        "address_class",
        "fence",
        "attempts",
        "revision",
        "requests",
        "bytes_read",
        "rate_limit",
        "rate_limit_remaining",
        "rate_limit_window_s",
        "rate_limit_seen_at",
        # Asked by whoever comes first, and by the next where that brought no answer.
        "kind_found",
        "kind_sign",
        "complete_crawls",
        "missing_crawls",
        "was_listed",
        "is_silent",
        "is_swept",
        "is_recorded",
        "limits_mark",  # what is still to be held against limits
        "lease_owner",
        "error_message",  # it may name the address that was asked
    }
)
"""Columns about our work or the address, not about what the registry holds."""
_FLAGS: Final = frozenset({"deleted_at", "moved_at", "seen_until", "left_at"})
"""Times of which it matters whether there is one."""
_FACTS: Final = frozenset({("images", "created_at")})
"""Times that a document says."""


@dataclass(frozen=True, slots=True)
class Differences:
    """How a dump differs from the one that was expected; false where it does not."""

    lines: tuple[str, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.lines)

    def __str__(self) -> str:
        shown = self.lines[:20]
        more = len(self.lines) - len(shown)
        return "\n".join([*shown, *([f"... and {more} more"] if more else [])])


def dump_of(database: Database) -> Dump:
    """Everything that is a fact or a number, from one snapshot."""
    with database.read() as connection:
        return _Dumper(connection).dump()


def dump_of_url(url: str) -> Dump:
    """The same of a database that is not open."""
    database = open_database(url)
    try:
        return dump_of(database)
    finally:
        database.close()


def differences(expected: Dump, found: Dump) -> Differences:
    """One line for each row that is missing, one too many, or has another value."""
    lines = []
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            lines.append(f"- {name}: {_shown(expected[name])}")
        elif name not in expected:
            lines.append(f"+ {name}: {_shown(found[name])}")
        elif expected[name] != found[name]:
            lines.append(f"! {name}: {_changes(expected[name], found[name])}")
    return Differences(tuple(lines))


def assert_same(expected: Dump, found: Dump) -> None:
    """Fail with the first twenty differences: - missing, + too many, ! other."""
    unequal = differences(expected, found)
    assert not unequal, f"{len(unequal.lines)} rows differ\n{unequal}"


def rows_of(dump: Dump, table: str) -> Dump:
    """The rows of one table, named without it."""
    start = f"{table} "
    return {n.removeprefix(start): r for n, r in dump.items() if n.startswith(start)}


def _shown(row: Row) -> str:
    return " ".join(f"{name}={value}" for name, value in row.items())


def _changes(expected: Row, found: Row) -> str:
    names = [n for n in {**expected, **found} if expected.get(n) != found.get(n)]
    return ", ".join(f"{n}: {expected.get(n)} -> {found.get(n)}" for n in names)


class _Dumper:
    """Reads every table once; whatever others refer to comes first."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._names = RowNames(connection)

    def dump(self) -> Dump:
        dump: dict[str, Row] = {}
        for table in SCHEMA.sorted_tables:
            if table.name in LEFT_OUT:
                continue
            for name, row in self._rows(table):
                assert name not in dump, f"two rows are called {name}"
                dump[name] = row
        return dump

    def _rows(self, table: Table) -> Iterable[tuple[str, Row]]:
        rows = [dict(r) for r in self._connection.execute(select(table)).mappings()]
        if table.name == "tag_moves":
            rows = _numbered(rows)
        if table.name == "layers" and "media_type_id" in table.c:
            rows = self._typed(rows)
        key = _key(table)
        for row in rows:
            name = " ".join(str(self._value(table, c, row[c])) for c in key)
            values = {
                column.name: self._value(table, column.name, row[column.name])
                for column in table.columns
                if column.name not in key and _is_kept(table, column)
            }
            if table.name == "blobs" and row["is_layer"]:
                # Of several types of one format, the one that was claimed first.
                text = str(values["media_type_id"])
                values["media_type_id"] = claimed_format(text)
            yield f"{table.name} {name}", values

    def _typed(self, rows: list[dict[str, object]]) -> list[dict[str, object]]:
        """Layers with the media types of their manifests; which of them a blob's own
        row has is chance."""
        blobs = SCHEMA.tables["blobs"]
        first = select(blobs.c.id, blobs.c.media_type_id)
        types = {r.id: r.media_type_id for r in self._connection.execute(first)}
        return [
            row | {"media_type_id": row["media_type_id"] or types.get(row["blob_id"])}
            for row in rows
        ]

    def _value(self, table: Table, column: str, value: object) -> object:
        if value is not None and column in _FLAGS:
            return True
        return self._names.value(table, column, value)


def _is_kept(table: Table, column: Column[object]) -> bool:
    if column.name in _WORK or (column.name == "id" and column.primary_key):
        return False
    is_time = isinstance(column.type, Moment)
    return not is_time or column.name in _FLAGS or (table.name, column.name) in _FACTS


def _key(table: Table) -> list[str]:
    """The columns that name a row: what is unique beside an id that means nothing."""
    if table.name == "tag_moves":
        return ["tag_id", "seen_from"]
    names = [column.name for column in table.primary_key]
    if names != ["id"] or table.name in BLOB_TABLES:
        return names
    unique = [c for c in table.constraints if isinstance(c, UniqueConstraint)]
    assert len(unique) == 1, f"what names a row of {table.name}?"
    return [column.name for column in unique[0].columns]


def _numbered(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Moves of a tag by their number, in place of their time."""
    numbers: dict[object, int] = {}
    numbered = []
    for row in sorted(rows, key=lambda row: str(row["seen_from"])):
        number = numbers[row["tag_id"]] = numbers.get(row["tag_id"], 0) + 1
        numbered.append(row | {"seen_from": number})
    return numbered
