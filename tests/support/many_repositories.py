"""Repositories by the thousand, written straight into the tables that reports read."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, delete, insert, select, update

from support.store_world import an_entry
from weighbridge.store.models import (
    repositories,
    repository_summaries,
    storage_scopes,
)
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.session import Database

_NOW: Final = datetime(2026, 9, 22, 9, tzinfo=UTC)
_WHOLE: Final[Mapping[str, object]] = {
    "tag_count": 5,
    "image_count": 3,
    "newest_tag": "1.2.3",
    "newest_platform": "linux/amd64",
    "newest_by": "pushed",
    "newest_at": _NOW,
    "newest_uncompressed_bytes": 3_000,
    "newest_uncompressed_confidence": "trailer",
    "baseline_compressed_bytes": 900,
    "largest_compressed_bytes": 2_000,
    "referenced_bytes": 9_000,
    "weighed_bytes": 5_000,
    "deduplicated_bytes": 4_000,
    "exclusive_bytes": 1_000,
}
"""What is known of each of them but the size that tells them apart."""


def some_names(count: int, prefix: str = "r") -> list[str]:
    """`r0`, `r1`, ..."""
    return [f"{prefix}{number}" for number in range(count)]


def add_repositories(
    database: Database, names: Sequence[str], registry: str = "hub"
) -> dict[str, int]:
    """Repositories that were read whole, each heavier than the one before; their
    ids by name."""
    with database.write() as connection:
        registry_id = put_registry(connection, an_entry(registry), _NOW)
        ids = put_repositories(connection, registry_id, names, _NOW)
        connection.execute(
            update(repositories)
            .where(repositories.c.registry_id == registry_id)
            .values(state="ok", last_crawl_at=_NOW, last_complete_crawl_at=_NOW)
        )
        in_order = {name: ids[name] for name in names}
        _sum_up(connection, in_order)
    return in_order


def change(database: Database, repository_id: int, **values: object) -> None:
    """Other values in a row of the read model."""
    with database.write() as connection:
        connection.execute(
            update(repository_summaries)
            .where(repository_summaries.c.repository_id == repository_id)
            .values(**values, revision=repository_summaries.c.revision + 1)
        )


def mark_gone(
    database: Database, ids: Iterable[int], deleted_at: datetime | None = _NOW
) -> None:
    """A tombstone for each of them; None takes it away."""
    chosen = list(ids)
    with database.write() as connection:
        connection.execute(
            update(repositories)
            .where(repositories.c.id.in_(chosen))
            .values(deleted_at=deleted_at, revision=repositories.c.revision + 1)
        )


def set_scope(database: Database, registry: int, **values: int) -> None:
    """The settled numbers of a registry's only scope."""
    with database.write() as connection:
        connection.execute(
            update(storage_scopes)
            .where(storage_scopes.c.registry_id == registry)
            .values(**values, revision=storage_scopes.c.revision + 1)
        )


def registry_of(connection: Connection, repository_id: int) -> int:
    """The id of the registry that a repository belongs to."""
    found: int = connection.execute(
        select(repositories.c.registry_id).where(repositories.c.id == repository_id)
    ).scalar_one()
    return found


def _sum_up(connection: Connection, ids: Mapping[str, int]) -> None:
    """New rows in place of the empty ones: one statement for all of them."""
    table = repository_summaries
    chosen = list(ids.values())
    for start in range(0, len(chosen), 500):
        piece = chosen[start : start + 500]
        connection.execute(delete(table).where(table.c.repository_id.in_(piece)))
    registry_id = registry_of(connection, chosen[0])
    connection.execute(
        insert(table),
        [
            {
                **_WHOLE,
                "repository_id": identity,
                "registry_id": registry_id,
                "newest_compressed_bytes": 1_000 + number,
                "tags_failed": 0,
                "is_stale": False,
                "is_uncounted": False,
                "is_unmeasured": False,
                "changed_at": _NOW,
                "revision": 1,
            }
            for number, identity in enumerate(ids.values())
        ],
    )
