"""What repositories come to, counted from their own rows: to check what is kept of each
registry, and of some repositories alone."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import ColumnElement, Connection, case, func, select

from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.ledger.counts import COUNTS, Sums
from weighbridge.store.ledger.expressions import exact_sum, sum_of
from weighbridge.store.models import (
    LISTED_STATES,
    repositories,
    repository_summaries,
)

_summary = repository_summaries.c


def _how_many(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


_repository = repositories.c
OF_REPOSITORIES: Final = (
    select(
        _repository.registry_id,
        func.count().label("repositories"),
        *(
            _how_many(_repository.state == state).label(f"are_{state}")
            for state in LISTED_STATES
        ),
        func.count(_repository.last_crawl_at).label("are_crawled"),
        func.count(_repository.held).label("tags_held"),
        func.coalesce(func.sum(_summary.tag_count), 0).label("tags"),
        func.coalesce(func.sum(_summary.tags_failed), 0).label("tags_failed"),
        func.count(_summary.newest_compressed_bytes).label("with_image"),
        func.count(_summary.referenced_bytes).label("summed_up"),
        *exact_sum(_summary.newest_compressed_bytes, "newest"),
        *exact_sum(_summary.referenced_bytes, "referenced"),
        *exact_sum(_summary.exclusive_bytes, "exclusive"),
    )
    .outerjoin(repository_summaries, _summary.repository_id == _repository.id)
    .where(_repository.deleted_at.is_(None))
    .group_by(_repository.registry_id)
)
"""Counted from the repositories themselves what is kept of them."""
_AMONG: Final = OF_REPOSITORIES.where(among_ids(_repository.id))


def totals_among(connection: Connection, ids: Collection[int]) -> dict[int, Sums]:
    """By the registry's id, of these repositories alone; without what is of scopes."""
    rows = connection.execute(_AMONG, {"ids": listed(ids)})
    return {
        row.registry_id: {
            **{name: int(row._mapping[name]) for name in COUNTS if name != "images"},
            **{name: sum_of(row, name) for name in ("newest", "referenced")},
        }
        for row in rows
    }
