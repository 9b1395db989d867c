"""Makes the tables in an empty database, with all that SQLAlchemy does not know of
them: indexes of expressions, triggers, a view, and what PostgreSQL needs to be told.

The triggers keep `registry_sums`: every change of a row is added, whoever makes it. On
SQLite, where one process writes at a time, a registry has one row, whose id is the
registry's. On PostgreSQL each change adds a row, so that nobody waits for another one's
commit; `counts.fold` puts them together.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct
from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    insert,
    text,
)

from weighbridge.store.dialect import POSTGRESQL
from weighbridge.store.models import LISTED_STATES, SCHEMA
from weighbridge.store.models.types import UTF8

# For people and checks: digests as text, and words instead of numbers. An image of
# which several registries say different things has a line for each.
_IMAGE_FACTS: Final = """
CREATE VIEW image_facts AS
SELECT DISTINCT
    CASE length(blobs.digest) WHEN 32 THEN 'sha256:' ELSE 'sha512:' END
        || {hex} AS digest,
    platforms.text AS platform,
    coalesce(sizes.compressed_bytes, images.compressed_bytes) AS compressed_bytes,
    sizes.uncompressed_bytes,
    CASE sizes.uncompressed_confidence
        WHEN 0 THEN 'exact'
        WHEN 1 THEN 'trailer'
        WHEN 2 THEN 'annotation'
        WHEN 3 THEN 'estimate'
        WHEN 4 THEN 'unknown'
    END AS uncompressed_confidence
FROM images
JOIN blobs ON blobs.id = images.id
JOIN platforms ON platforms.id = images.platform_id
LEFT JOIN manifest_sizes AS sizes ON sizes.manifest_id = images.id
"""
_HEX: Final = {
    "sqlite": "lower(hex(blobs.digest))",
    "postgresql": "encode(blobs.digest, 'hex')",
}
_DEDUPLICATED: Final = (
    "CASE WHEN referenced_bytes IS NOT NULL THEN deduplicated_bytes END"
)
_EXCLUSIVE: Final = "CASE WHEN referenced_bytes IS NOT NULL THEN exclusive_bytes END"
# As `reports.repositories` sorts by them.
_ORDERS: Final = {
    "growth": "(newest_compressed_bytes - baseline_compressed_bytes)"
    " / CAST(nullif(baseline_compressed_bytes, 0) AS {double})",
    "deduplicated": _DEDUPLICATED,
    "shared": f"{_DEDUPLICATED} - {_EXCLUSIVE}",
    "exclusive": _EXCLUSIVE,
}
_DOUBLE: Final = {"sqlite": "DOUBLE", "postgresql": "DOUBLE PRECISION"}
# PostgreSQL: an update that finds room on its page touches no index.
_WITH_ROOM: Final = (
    "repositories",
    "repository_manifests",
    "repository_blobs",
    "scope_blobs",
    "storage_scopes",
    "repository_summaries",
    "tags",
)


# As alembic makes it (`MigrationContext`), which is not loaded for it: that takes a
# quarter of the time of making a database, and its templates load a hundred modules of
# a highlighter, which would stay.
_VERSION: Final = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def make_tables(connection: Connection, revision: str) -> None:
    """All of them, as the version with this revision wants them."""
    dialect = connection.dialect.name
    tables = _of_postgresql() if dialect == POSTGRESQL else SCHEMA
    tables.create_all(connection, checkfirst=False)
    statements = [
        *(
            f"CREATE INDEX ix_repository_summaries_by_{order} ON repository_summaries"
            f" (registry_id, ({value.format(double=_DOUBLE[dialect])}), repository_id)"
            for order, value in _ORDERS.items()
        ),
        *sum_triggers(dialect),
        _IMAGE_FACTS.format(hex=_HEX[dialect]),
    ]
    if dialect == POSTGRESQL:
        statements += [f"ALTER TABLE {t} SET (fillfactor = 85)" for t in _WITH_ROOM]
    for statement in statements:
        connection.execute(text(statement))
    _VERSION.create(connection, checkfirst=False)
    connection.execute(insert(_VERSION).values(version_num=revision))


def _of_postgresql() -> MetaData:
    """The models say what SQLite needs: for more, that dialect would be loaded wherever
    the store is read."""
    made = MetaData(naming_convention=SCHEMA.naming_convention)
    for table in SCHEMA.sorted_tables:
        copied = table.to_metadata(made)
        for column in copied.columns:
            if isinstance(column.type, Text | UTF8):
                # Names sort by their bytes, whatever the server's locale is.
                column.type = Text(collation="C")
        for index in copied.indexes:
            where = index.dialect_options["sqlite"]["where"]
            index.dialect_options["postgresql"]["where"] = where
    return made


_HALF: Final = 2**32
_IS_NOT: Final[Mapping[str, str]] = {
    "sqlite": "IS NOT",
    "postgresql": "IS DISTINCT FROM",
}
_EVENTS: Final = ("INSERT", "DELETE", "UPDATE OF revision")
_VERSION_OF: Final = ("repositories", "repository_summaries", "storage_scopes")


def _is(condition: str) -> str:
    return f"CASE WHEN {condition} THEN 1 ELSE 0 END"


def _halves(name: str, value: str) -> dict[str, str]:
    """See `ledger.expressions`."""
    return {
        f"{name}_high": f"coalesce({value} / {_HALF}, 0)",
        f"{name}_low": f"coalesce({value} % {_HALF}, 0)",
    }


class _Summed(Struct, frozen=True):
    """A table whose rows are summed up; `{row}` stands for OLD or NEW.

    place:  the registry that a row counts for; NULL: for none
    by:     the columns that say so
    seen:   what the values are made from: the same, then the values are the same
    values: what is added, by the column of `registry_sums`
    also:   what else is done where a row goes to another registry
    """

    table: str
    place: str
    by: Sequence[str]
    seen: Mapping[str, str]
    values: Mapping[str, str]
    also: str = ""


_SUMMED: Final = (
    _Summed(
        "repositories",
        place="CASE WHEN {row}.deleted_at IS NULL THEN {row}.registry_id END",
        by=("registry_id", "deleted_at"),
        seen={
            "state": "{row}.state",
            "held": "{row}.held IS NULL",
            "last_crawl_at": "{row}.last_crawl_at IS NULL",
        },
        values={
            **{
                f"are_{state}": _is(f"{{row}}.state = '{state}'")
                for state in LISTED_STATES
            },
            "repositories": "1",
            "are_crawled": _is("{row}.last_crawl_at IS NOT NULL"),
            "tags_held": _is("{row}.held IS NOT NULL"),
        },
        # Its summary counts for the same registry: its own triggers do the rest.
        also="UPDATE repository_summaries SET registry_id ="
        " CASE WHEN NEW.deleted_at IS NULL THEN NEW.registry_id END"
        " WHERE repository_id = NEW.id",
    ),
    _Summed(
        "repository_summaries",
        place="{row}.registry_id",
        by=("registry_id",),
        seen={
            name: f"{{row}}.{name}"
            for name in (
                "tag_count",
                "tags_failed",
                "newest_compressed_bytes",
                "referenced_bytes",
                "exclusive_bytes",
            )
        },
        values={
            "tags": "{row}.tag_count",
            "tags_failed": "{row}.tags_failed",
            "with_image": _is("{row}.newest_compressed_bytes IS NOT NULL"),
            "summed_up": _is("{row}.referenced_bytes IS NOT NULL"),
            **_halves("newest", "{row}.newest_compressed_bytes"),
            **_halves("referenced", "{row}.referenced_bytes"),
            **_halves("exclusive", "{row}.exclusive_bytes"),
        },
    ),
    _Summed(
        "storage_scopes",
        place="{row}.registry_id",
        by=("registry_id",),
        seen={
            name: f"{{row}}.{name}"
            for name in (
                "image_count",
                "weighed_bytes",
                "deduplicated_bytes",
                "shared_bytes",
            )
        },
        values={
            "images": "{row}.image_count",
            **_halves("weighed", "{row}.weighed_bytes"),
            **_halves("deduplicated", "{row}.deduplicated_bytes"),
            **_halves("shared", "{row}.shared_bytes"),
        },
    ),
)


def sum_triggers(dialect: str) -> Iterator[str]:
    """What makes them, for the tables as they are."""
    if dialect == "sqlite":
        yield from _rows_of_registries()
    for summed in _SUMMED:
        for name, event, condition, body in _of_rows(summed, dialect):
            yield from _trigger(
                dialect, f"{name}_{summed.table}", summed.table, event, condition, body
            )
    for table in _VERSION_OF:
        yield from _versions(dialect, table, _EVENTS)
    yield from _versions(dialect, "violations", ("INSERT", "DELETE", "UPDATE"))


def _rows_of_registries() -> Iterator[str]:
    """A row for each registry, and row 0 for what concerns all."""
    columns = ["revision", *(name for summed in _SUMMED for name in summed.values)]
    names, zeros = ", ".join(columns), ", ".join("0" for _ in columns)
    into = f"INSERT INTO registry_sums (id, registry_id, {names}) VALUES"
    yield f"{into} (0, 0, {zeros})"
    yield (
        "CREATE TRIGGER sums_of_registry AFTER INSERT ON registries"
        f" BEGIN {into} (NEW.id, NEW.id, {zeros}); END"
    )
    yield (
        "CREATE TRIGGER no_sums_of_registry AFTER DELETE ON registries"
        " BEGIN DELETE FROM registry_sums WHERE id = OLD.id; END"
    )


def _of_rows(
    summed: _Summed, dialect: str
) -> Iterator[tuple[str, str, str, Sequence[str]]]:
    """Name, event, condition and body of the triggers of a table."""
    old, new = summed.place.format(row="OLD"), summed.place.format(row="NEW")
    added = {name: value.format(row="NEW") for name, value in summed.values.items()}
    taken = {
        name: f"-({value.format(row='OLD')})" for name, value in summed.values.items()
    }
    moved = {name: f"{value} {taken[name]}" for name, value in added.items()}
    # What is the same for every row does not change while it is there.
    moved = {name: value for name, value in moved.items() if added[name] != "1"}
    differs = _IS_NOT[dialect]
    before, after = (
        ", ".join(value.format(row=row) for value in summed.seen.values())
        for row in ("OLD", "NEW")
    )
    yield "add", "INSERT", f"{new} IS NOT NULL", [_add(dialect, new, added)]
    yield "take", "DELETE", f"{old} IS NOT NULL", [_add(dialect, old, taken)]
    yield (
        "change",
        f"UPDATE OF {', '.join(summed.seen)}",
        f"({before}) {differs} ({after})"
        f" AND {new} IS NOT NULL AND NOT ({old} {differs} {new})",
        [_add(dialect, new, moved)],
    )
    yield (
        "move",
        f"UPDATE OF {', '.join(summed.by)}",
        f"{old} {differs} {new}",
        [
            _add(dialect, old, taken),
            _add(dialect, new, added),
            *([summed.also] if summed.also else []),
        ],
    )


def _add(dialect: str, registry: str, values: Mapping[str, str]) -> str:
    """Add to the sums of a registry; nothing happens for NULL."""
    if dialect == "sqlite":
        sums = ", ".join(f"{name} = {name} + {value}" for name, value in values.items())
        return f"UPDATE registry_sums SET {sums} WHERE id = {registry}"
    return (
        f"INSERT INTO registry_sums (registry_id, {', '.join(values)})"
        f" SELECT {registry}, {', '.join(values.values())}"
        f" WHERE {registry} IS NOT NULL"
    )


def _versions(dialect: str, table: str, events: Sequence[str]) -> Iterator[str]:
    """Count the changes: on PostgreSQL by statements, which is as good."""
    body = [_add(dialect, "0", {"revision": "1"})]
    if dialect == "postgresql":
        event = " OR ".join(events)
        yield from _trigger(dialect, f"note_{table}", table, event, None, body)
        return
    for event in events:
        name = f"note_{event.partition(' ')[0].lower()}_{table}"
        yield from _trigger(dialect, name, table, event, None, body)


def _trigger(
    dialect: str,
    name: str,
    table: str,
    event: str,
    condition: str | None,
    body: Sequence[str],
) -> Iterator[str]:
    """condition: None: for each statement where that is possible"""
    done = "".join(f"{statement}; " for statement in body)
    when = f" WHEN ({condition})" if condition else ""
    if dialect == "sqlite":
        yield (
            f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW{when}"
            f" BEGIN {done}END"
        )
        return
    yield (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {done}RETURN NULL; END $$"
    )
    each = "ROW" if condition else "STATEMENT"
    yield (
        f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH {each}{when}"
        f" EXECUTE FUNCTION {name}()"
    )
