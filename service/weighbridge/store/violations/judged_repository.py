"""What is to be known of repositories before anything of them is judged."""

from collections.abc import Collection
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, select

from weighbridge.domain.size.confidence import Confidence
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.models import registries, repositories, repository_summaries

PAGE: Final = 1_000
"""Repositories that are read at once."""

_row = repositories.c
_summary = repository_summaries.c
_READ: Final = (
    select(
        _row.id,
        _row.scope_id,
        registries.c.name.label("registry"),
        _row.name,
        _row.is_silent,
        _row.complete_crawls,
        _summary.deduplicated_bytes,
        _summary.newest_tag,
        _summary.newest_image_id,
        _summary.newest_compressed_bytes,
        _summary.newest_uncompressed_bytes,
        _summary.newest_uncompressed_confidence,
        _summary.newest_layers,
        _summary.limits_mark,
        _summary.tag_count,
        _summary.over_tags,
    )
    .join_from(repositories, registries, registries.c.id == _row.registry_id)
    .join(repository_summaries, _summary.repository_id == _row.id)
    .order_by(_row.id)
)
_OF_THESE: Final = _READ.where(among_ids(_row.id))
_OF_REGISTRY: Final = Rows(
    _READ.where(
        _row.registry_id == bindparam("registry"),
        _row.id > bindparam("after"),
        # Of others it is not known what is new and what was always there.
        _row.complete_crawls > 0,
    ).limit(PAGE)
)


class JudgedRepository(NamedTuple):
    """A repository.

    is_silent:       its registry is being crawled for the first time, and this is part
                     of that
    complete_crawls: 0: its first crawl is not over
    limits_mark:     of the limits that its tags were marked by
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
    newest_compressed_bytes: int | None
    newest_uncompressed_bytes: int | None
    newest_uncompressed_confidence: Confidence | None
    newest_layers: int | None
    limits_mark: str
    tag_count: int
    over_tags: int


def find_judged(
    connection: Connection, repository_ids: Collection[int]
) -> list[JudgedRepository]:
    """Without those that were forgotten meanwhile; in the order of their ids."""
    rows = connection.execute(_OF_THESE, {"ids": listed(sorted(repository_ids))})
    return [JudgedRepository._make(row) for row in rows]


def judged_page(
    connection: Connection, registry_id: int, after: int
) -> list[JudgedRepository]:
    """The next repositories of a registry behind one of them, at most `PAGE`."""
    parameters = {"registry": registry_id, "after": after}
    rows = _OF_REGISTRY.read(connection, parameters)
    return [JudgedRepository._make(row) for row in rows]
