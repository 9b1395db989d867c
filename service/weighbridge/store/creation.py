"""Makes the tables in an empty database, with all that SQLAlchemy does not know of
them: indexes of expressions, triggers, a view, and what PostgreSQL needs to be told.
"""

from typing import Final

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
from weighbridge.store.models import SCHEMA
from weighbridge.store.models.types import UTF8
from weighbridge.store.sum_triggers import sum_triggers

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
