"""Reads how far the repositories are read that are named as bases."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, select

from weighbridge.domain.image.reference import DOCKER_HUB
from weighbridge.domain.report.seeding import SeededRepository, Seeding
from weighbridge.store.models import (
    base_readings,
    base_repositories,
    registries,
    repositories,
    repository_summaries,
)

_mark = base_repositories.c
_repository = repositories.c
_FINE: Final = frozenset({"ok", "new"})
_READINGS: Final = select(base_readings)
_CRAWLED: Final = (
    select(
        registries.c.name.label("registry"),
        _mark.host,
        _mark.repository,
        _repository.state,
        _repository.state_reason,
        _repository.state_since,
        _repository.last_complete_crawl_at,
        repository_summaries.c.tag_count,
    )
    .join_from(base_repositories, repositories, _repository.id == _mark.repository_id)
    .join(registries, registries.c.id == _repository.registry_id)
    .join(repository_summaries, repository_summaries.c.repository_id == _repository.id)
)


def seeding(connection: Connection) -> Seeding:
    """Two statements over as many rows as bases are named."""
    found = [*_read_alone(connection), *_crawled(connection)]
    return Seeding(sorted(found, key=lambda each: (each.reference, each.registry)))


def _read_alone(connection: Connection) -> Iterator[SeededRepository]:
    for row in connection.execute(_READINGS):
        yield SeededRepository(
            registry=row.registry,
            reference=_written(row.host, row.repository),
            is_crawled=False,
            tags_wanted=row.tags_wanted,
            tags_read=row.tags_read,
            code=row.code,
            reason=row.reason,
            failing_since=row.failing_since,
            read_at=row.read_at,
        )


def _crawled(connection: Connection) -> Iterator[SeededRepository]:
    for row in connection.execute(_CRAWLED):
        is_whole = row.last_complete_crawl_at is not None
        is_fine = row.state in _FINE
        yield SeededRepository(
            registry=row.registry,
            reference=_written(row.host, row.repository),
            is_crawled=True,
            tags_wanted=row.tag_count if is_whole else None,
            tags_read=row.tag_count,
            code="" if is_fine else row.state,
            reason="" if is_fine else row.state_reason,
            failing_since=None if is_fine else row.state_since,
            read_at=row.last_complete_crawl_at,
        )


def _written(host: str, repository: str) -> str:
    return repository if host == DOCKER_HUB else f"{host}/{repository}"
