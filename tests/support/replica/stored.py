"""What a database says after a crawl, read by SQL: to be held against brute force."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, create_engine, select

from weighbridge.domain.image.digest import Digest
from weighbridge.store.models import (
    artifacts,
    blobs,
    images,
    platforms,
    repositories,
    repository_summaries,
    storage_scopes,
)


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A row of `images`."""

    platform: str
    compressed_bytes: int
    stored_bytes: int
    layers: int
    history_alignment: str


@dataclass(frozen=True, slots=True)
class Counted:
    """A repository's row of the read model, as far as it needs no ledger."""

    tags: int
    images: int
    referenced_bytes: int
    weighed_bytes: int


def stored_images(database_url: str) -> dict[Digest, StoredImage]:
    """Every image that was ever kept."""
    found = _rows(
        database_url,
        select(
            blobs.c.digest,
            platforms.c.text,
            images.c.compressed_bytes,
            images.c.stored_bytes,
            images.c.layer_count,
            images.c.history_alignment,
        )
        .join_from(images, blobs, blobs.c.id == images.c.id)
        .join(platforms, platforms.c.id == images.c.platform_id),
    )
    return {row[0]: StoredImage(*row[1:]) for row in found}


def stored_artifacts(database_url: str) -> dict[Digest, str]:
    """Everything that is kept like an image and is none, with its role."""
    found = _rows(
        database_url,
        select(blobs.c.digest, artifacts.c.role).join_from(
            artifacts, blobs, blobs.c.id == artifacts.c.id
        ),
    )
    return {row[0]: row[1] for row in found}


def foreign_blobs(database_url: str) -> set[Digest]:
    """Blobs that are known by name only: they lie elsewhere."""
    found = _rows(database_url, select(blobs.c.digest).where(blobs.c.is_foreign))
    return {row[0] for row in found}


def counted(database_url: str) -> dict[str, Counted]:
    """By repository."""
    table = repository_summaries.c
    found = _rows(
        database_url,
        _of_repositories(
            table.tag_count,
            table.image_count,
            table.referenced_bytes,
            table.weighed_bytes,
        ),
    )
    return {row[0]: Counted(*row[1:]) for row in found}


def shares(database_url: str) -> dict[str, tuple[int, int]]:
    """Deduplicated and exclusive bytes, by repository."""
    table = repository_summaries.c
    found = _rows(
        database_url,
        _of_repositories(table["deduplicated_bytes"], table["exclusive_bytes"]),
    )
    return {row[0]: (row[1], row[2]) for row in found}


def scopes(database_url: str) -> dict[str, tuple[int, int, int, int]]:
    """Images, weighed, deduplicated and shared bytes, by storage scope."""
    table = storage_scopes.c
    found = _rows(
        database_url,
        select(
            table["name"],
            table["image_count"],
            table["weighed_bytes"],
            table["deduplicated_bytes"],
            table["shared_bytes"],
        ),
    )
    return {row[0]: (row[1], row[2], row[3], row[4]) for row in found}


def _of_repositories(*columns: Any) -> Select[Any]:  # columns of any type
    return select(repositories.c.name, *columns).join_from(
        repository_summaries,
        repositories,
        repositories.c.id == repository_summaries.c.repository_id,
    )


def _rows(database_url: str, wanted: Select[Any]) -> list[tuple[Any, ...]]:
    engine = create_engine(database_url)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(wanted)]
    finally:
        engine.dispose()
