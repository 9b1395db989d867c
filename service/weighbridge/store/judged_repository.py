"""What is to be known of a repository before anything of it is judged."""

from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, select

from weighbridge.store.models import registries, repositories, repository_summaries

_READ: Final = (
    select(
        repositories.c.id,
        repositories.c.scope_id,
        registries.c.name.label("registry"),
        repositories.c.name,
        repositories.c.is_silent,
        repositories.c.complete_passes,
        repository_summaries.c.deduplicated_bytes,
        repository_summaries.c.newest_tag,
        repository_summaries.c.newest_image_id,
    )
    .join_from(repositories, registries, registries.c.id == repositories.c.registry_id)
    .join(
        repository_summaries,
        repository_summaries.c.repository_id == repositories.c.id,
    )
    .where(repositories.c.id == bindparam("repository"))
)


class JudgedRepository(NamedTuple):
    """A repository. `is_silent`: its registry is being crawled for the first time, and
    this is part of that; `complete_passes` 0: its first pass is not over."""

    id: int
    scope_id: int
    registry: str
    name: str
    is_silent: bool
    complete_passes: int
    deduplicated_bytes: int
    newest_tag: str | None
    newest_image_id: int | None


def find_judged(connection: Connection, repository_id: int) -> JudgedRepository | None:
    """None: it was forgotten meanwhile."""
    row = connection.execute(_READ, {"repository": repository_id}).one_or_none()
    return None if row is None else JudgedRepository._make(row)
