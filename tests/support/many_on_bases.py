"""Images on bases by the hundred thousand, written by one statement a table.

Each repository has twenty tags, each of an image of its own. Two images of five stand
on the first build, the others on one of thousands; every name of a base has twelve
builds, of which the last one is what it leads to now.
"""

from typing import Final

from sqlalchemy import Connection, text

from support.store_world import T0, an_entry
from weighbridge.store.dialect import POSTGRESQL
from weighbridge.store.maintenance.checking.differences import mend_sums
from weighbridge.store.models.types import microseconds
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.registries.scope_rows import put_scopes
from weighbridge.store.session import Database

TAGS: Final = 20
BUILDS: Final = 12
_INSERT: Final = (
    "INSERT INTO {table} ({columns})"
    " WITH RECURSIVE numbers(n) AS"
    " (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"
    " SELECT {row} FROM numbers"
)
_DIGEST: Final = {
    "sqlite": "CAST(printf('%032d', n) AS BLOB)",
    "postgresql": "convert_to(lpad(CAST(n AS text), 32, '0'), 'UTF8')",
}
# How many rows: of repositories, of images (a tag each), of bases' builds.
_ROWS: Final = (
    (
        "repositories",
        "repositories",
        "id, registry_id, scope_id, name, state, state_reason, state_since, due_at,"
        " fence, attempts, complete_crawls, missing_crawls, was_listed, is_silent,"
        " last_crawl_at, last_complete_crawl_at, requests, bytes_read, revision",
        "n, {hub}, {scope}, 'team-' || (n % 97) || '/service-' || n, 'ok', '', {now},"
        " {now} + 1000000, 1, 0, 1, 0, TRUE, FALSE, {now}, {now}, 2, 100, 1",
    ),
    (
        "repositories",
        "repository_summaries",
        "repository_id, registry_id, tag_count, image_count, tags_failed,"
        " deduplicated_bytes, exclusive_bytes, is_stale, is_uncounted, is_unmeasured,"
        " changed_at, revision, over_tags, limits_mark, over_waits, newest_tag,"
        " newest_image_id, newest_compressed_bytes",
        "n, {hub}, {tags}, {tags}, 0, n, n, FALSE, FALSE, FALSE, {now}, 1, 0, '',"
        " FALSE, 'v1', n * {tags}, 100000000 + n",
    ),
    (
        "images",
        "blobs",
        "id, digest, compressed_bytes, read_bytes, counted_bytes, is_known, is_layer,"
        " is_foreign, has_conflict, has_format_conflict, is_uncounted, facts_state",
        "n, {digest}, 500, 500, 500, TRUE, FALSE, FALSE, FALSE, FALSE, FALSE, 2",
    ),
    (
        "images",
        "images",
        "id, platform_id, config_id, compressed_bytes, stored_bytes, layer_count,"
        " history_alignment",
        "n, 1, n, 100000000 + n, 100000000 + n, 9, 0",
    ),
    (
        "images",
        "tags",
        "id, repository_id, name, natural_key, target_id, first_seen_at",
        "n, (n + {tags} - 1) / {tags}, 'v' || n, 'v' || n, n, {now}",
    ),
    (
        "images",
        "repository_manifests",
        "repository_id, manifest_id, tag_count, index_count",
        "(n + {tags} - 1) / {tags}, n, 1, 0",
    ),
    (
        "builds",
        "base_chains",
        "id, chain, layer_count, platform_id, compressed_bytes, history, line_count,"
        " is_swept, first_seen_at, last_seen_at",
        "n, {digest}, 3, 1, 40000000 + n, {digest}, 3, TRUE, {now}, {now}",
    ),
    (
        "builds",
        "base_names",
        "id, base_chain_id, host, repository, tag, digest, first_seen_at,"
        " last_seen_at, left_at",
        "n, n, 'docker.io', 'library/base-' || ((n + {builds} - 1) / {builds}),"
        " 'stretch', {digest}, {now}, {now},"
        " CASE WHEN n % {builds} <> 0 THEN {now} + n END",
    ),
    (
        "images",
        "image_bases",
        "image_id, base_chain_id, relation, found_by",
        "n, CASE WHEN n % 5 < 2 THEN 1 ELSE 2 + n % ({build_count} - 1) END, 0, 1",
    ),
)


def stand_on_bases(database: Database, images: int, builds: int) -> None:
    """Write so many images on so many builds of bases into an empty database."""
    count = {"repositories": images // TAGS, "images": images, "builds": builds}
    with database.write() as connection:
        hub = put_registry(connection, an_entry("hub"), T0)
        values = {
            "hub": hub,
            "scope": put_scopes(connection, hub, [""])[""],
            "now": microseconds(T0),
            "digest": _DIGEST[connection.dialect.name],
            "tags": TAGS,
            "builds": BUILDS,
            "build_count": builds,
        }
        connection.execute(
            text(
                "INSERT INTO platforms"
                " (id, text, os, architecture, variant, os_version)"
                " VALUES (1, 'linux/amd64', 'linux', 'amd64', '', '')"
            )
        )
        _triggers(connection, "DISABLE")
        for of, table, columns, row in _ROWS:
            statement = _INSERT.format(
                table=table,
                columns=columns,
                count=count[of],
                row=row.format(**values),
            )
            connection.execute(text(statement))
        _triggers(connection, "ENABLE")
        mend_sums(connection, hub)
    with database.write() as connection:
        connection.execute(text("ANALYZE"))


def _triggers(connection: Connection, what: str) -> None:
    """PostgreSQL would note a change for each row, and readers would add them up."""
    if connection.dialect.name == POSTGRESQL:
        for table in ("repositories", "repository_summaries", "storage_scopes"):
            connection.execute(text(f"ALTER TABLE {table} {what} TRIGGER USER"))
