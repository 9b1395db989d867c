"""Repositories by the million, written by one statement a table.

Each has a tag, an image and a crawl. One in ten is gone, one in twenty is due; most are
of the registry `hub`. Of every sort of row that waits for something there are a few.
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

NOW: Final = T0
_INSERT: Final = (
    "INSERT INTO {table} ({columns})"
    " WITH RECURSIVE numbers(n) AS"
    " (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {{count}})"
    " SELECT {row} FROM numbers"
)
_DIGEST: Final = {
    "sqlite": "CAST(printf('%032d', n) AS BLOB)",
    "postgresql": "convert_to(lpad(CAST(n AS text), 32, '0'), 'UTF8')",
}
_ROWS: Final = (
    (
        "repositories",
        "id, registry_id, scope_id, name, state, state_reason, state_since, deleted_at,"
        " due_at, lease_until, lease_owner, fence, attempts, complete_crawls,"
        " missing_crawls, was_listed, is_silent, last_crawl_at, last_complete_crawl_at,"
        " requests, bytes_read, revision",
        "n, CASE WHEN n % 100 = 1 THEN {other} ELSE {hub} END,"
        " CASE WHEN n % 100 = 1 THEN {other_scope} ELSE {hub_scope} END,"
        " 'team-' || (n % 97) || '/service-' || n,"
        " CASE WHEN n % 10 = 0 THEN 'deleted' ELSE 'ok' END, '', {now},"
        " CASE WHEN n % 10 = 0 THEN {now} END,"
        " CASE WHEN n % 10 = 0 OR n % 20 = 3 THEN {now} - n ELSE {now} + n END,"
        " CASE WHEN n % 5000 = 3 THEN {now} + 30000000 END,"
        " CASE WHEN n % 5000 = 3 THEN 'boot:1.17.99/' || n END,"
        " 1, CASE WHEN n % 20000 = 3 THEN 3 ELSE 0 END, 1, 0, TRUE, FALSE,"
        " {now} - 3600000000 + n, {now} - 3600000000 + n, 2, 100, 1",
    ),
    (
        "repository_summaries",
        "repository_id, registry_id, tag_count, image_count, tags_failed,"
        " deduplicated_bytes, exclusive_bytes, is_stale, is_uncounted, is_unmeasured,"
        " changed_at, revision,"
        " over_tags, limits_mark, over_waits, newest_tag, newest_image_id,"
        " newest_compressed_bytes",
        "n, CASE WHEN n % 10 = 0 THEN NULL"
        " WHEN n % 100 = 1 THEN {other} ELSE {hub} END, 1, 1, 0, n, n,"
        " FALSE, FALSE, FALSE, {now}, 1, 0, '', FALSE, 'v1', n, n",
    ),
    (
        "blobs",
        "id, digest, compressed_bytes, read_bytes, counted_bytes, is_known, is_layer,"
        " is_foreign, has_conflict, has_format_conflict, is_uncounted, facts_state",
        "n, {digest}, 500, 500, 500, TRUE, FALSE, FALSE, FALSE, FALSE, FALSE, 2",
    ),
    (
        "images",
        "id, platform_id, config_id, compressed_bytes, stored_bytes, layer_count,"
        " history_alignment",
        "n, 1, n, 1000, 1000, 1, 0",
    ),
    (
        "tags",
        "id, repository_id, name, natural_key, target_id, first_seen_at",
        "n, n, 'v1', 'v1', n, {now}",
    ),
    (
        "repository_manifests",
        "repository_id, manifest_id, tag_count, index_count",
        "n, n, 1, 0",
    ),
    (
        "repository_blobs",
        "scope_id, blob_id, repository_id, manifest_count",
        "{hub_scope}, n, n, 1",
    ),
    (
        "crawls",
        "id, repository_id, registry_id, started_at, ended_at, state, reason,"
        " tags_seen, tags_new, tags_moved, tags_deleted, tags_failed, invalid_tags,"
        " requests, bytes_read, resumes",
        "n, n, CASE WHEN n % 100 = 1 THEN {other} ELSE {hub} END,"
        " {now} - 3600000000 + n - 1, {now} - 3600000000 + n, 'ok', '',"
        " 1, 1, 0, 0, 0, 0, 2, 100, 0",
    ),
    (
        "pushes",
        "id, registry, source, event_key, repository, tag, is_delete, received_at,"
        " due_at, attempts, done_at, outcome",
        "n, 'hub', 'harbor', {digest}, 'team-' || (n % 97) || '/service-' || n, 'v1',"
        " FALSE, {now} - n, {now} - n, 0,"
        " CASE WHEN n % 10000 <> 7 THEN {now} - n END, 'moved'",
    ),
)

_NUMBERED: Final = ("repositories", "blobs", "tags", "crawls", "pushes")
_GO_ON: Final = text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :count)")


def fill(database: Database, count: int) -> None:
    """Write so many repositories into an empty database, and let it count them."""
    with database.write() as connection:
        hub = put_registry(connection, an_entry("hub"), NOW)
        other = put_registry(connection, an_entry("other"), NOW)
        values = {
            "hub": hub,
            "other": other,
            "hub_scope": put_scopes(connection, hub, [""])[""],
            "other_scope": put_scopes(connection, other, [""])[""],
            "now": microseconds(NOW),
            "digest": _DIGEST[connection.dialect.name],
        }
        _triggers(connection, "DISABLE")
        for table, columns, row in _ROWS:
            statement = _INSERT.format(table=table, columns=columns, row=row)
            connection.execute(text(statement.format(count=count, **values)))
        _triggers(connection, "ENABLE")
        for registry in (hub, other):
            mend_sums(connection, registry)
    with database.write() as connection:
        if connection.dialect.name == POSTGRESQL:
            for table in _NUMBERED:
                connection.execute(_GO_ON, {"table": table, "count": count})
            connection.execute(text("ANALYZE"))


def _triggers(connection: Connection, what: str) -> None:
    """PostgreSQL would note a change for each row, and readers would add them up."""
    if connection.dialect.name == POSTGRESQL:
        for table in ("repositories", "repository_summaries", "storage_scopes"):
            connection.execute(text(f"ALTER TABLE {table} {what} TRIGGER USER"))
