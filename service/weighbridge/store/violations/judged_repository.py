"""What is to be known of repositories before anything of them is judged."""

from collections.abc import Collection
from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.models import registries, repositories, repository_summaries

_READ: Final = (
    select(
        repositories.c.id,
        repositories.c.scope_id,
        registries.c.name.label("registry"),
        repositories.c.name,
        repositories.c.is_silent,
        repositories.c.complete_crawls,
        repository_summaries.c.deduplicated_bytes,
        repository_summaries.c.newest_tag,
        repository_summaries.c.newest_image_id,
        repository_summaries.c.tag_count,
        repository_summaries.c.over_tags,
    )
    .join_from(repositories, registries, registries.c.id == repositories.c.registry_id)
    .join(
        repository_summaries,
        repository_summaries.c.repository_id == repositories.c.id,
    )
    .where(among_ids(repositories.c.id))
    .order_by(repositories.c.id)
)


class JudgedRepository(NamedTuple):
    """A repository.

    is_silent:       its registry is being crawled for the first time, and this is part
                     of that
    complete_crawls: 0: its first crawl is not over
    over_tags:       how many of its tags are marked as over a limit
    """

    id: int
    scope_id: int
    registry: str
    name: str
    is_silent: bool
    complete_crawls: int
    deduplicated_bytes: int
    newest_tag: str | None
    newest_image_id: int | None
    tag_count: int
    over_tags: int


def find_judged(
    connection: Connection, repository_ids: Collection[int]
) -> list[JudgedRepository]:
    """Without those that were forgotten meanwhile; in the order of their ids."""
    rows = connection.execute(_READ, {"ids": listed(sorted(repository_ids))})
    return [JudgedRepository._make(row) for row in rows]
