"""What repositories weigh as they stand, beside the violations they have."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec import Struct
from sqlalchemy import Connection, bindparam, select

from weighbridge.domain.policy.policy import LimitKey
from weighbridge.domain.size.confidence import Confidence
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.dialect.rows import Rows
from weighbridge.store.models import (
    registries,
    repositories,
    repository_summaries,
    violations,
)

PAGE: Final = 1_000
"""Repositories that are read at once."""

_row = repositories.c
_summary = repository_summaries.c
_STANDING: Final = Rows(
    select(
        _row.id,
        registries.c.name.label("registry"),
        _row.name,
        _summary.newest_tag,
        _summary.newest_image_id,
        _summary.newest_compressed_bytes,
        _summary.newest_uncompressed_bytes,
        _summary.newest_uncompressed_confidence,
        _summary.newest_layers,
        _summary.deduplicated_bytes,
        _summary.limits_mark,
        _summary.tag_count,
    )
    .join_from(repositories, registries, registries.c.id == _row.registry_id)
    .join(repository_summaries, _summary.repository_id == _row.id)
    .where(
        _row.registry_id == bindparam("registry"),
        _row.id > bindparam("after"),
        # Of others it is not known what is new and what was always there.
        _row.complete_crawls > 0,
    )
    .order_by(_row.id)
    .limit(PAGE)
)
_OPEN: Final = select(
    violations.c.repository_id,
    violations.c.tag,
    violations.c.image_id,
    violations.c.policy,
    violations.c.limit_key,
    violations.c.limit_amount,
).where(among_ids(violations.c.repository_id), violations.c.closed_at.is_(None))


class StandingViolation(NamedTuple):
    """An episode that is not over. `tag`, `image_id`: None of a repository's limit."""

    tag: str | None
    image_id: int | None
    policy: str
    limit_key: LimitKey
    limit_amount: int


class _Newest(NamedTuple):
    id: int
    registry: str
    name: str
    tag: str | None
    image_id: int | None
    compressed_bytes: int | None
    uncompressed_bytes: int | None
    uncompressed_confidence: Confidence | None
    layers: int | None
    deduplicated_bytes: int
    limits_mark: str
    tag_count: int


class RepositoryStanding(Struct, frozen=True):
    """A repository: its newest image, and the violations that are open."""

    newest: _Newest
    violations: Sequence[StandingViolation]


def read_standing(
    connection: Connection, registry_id: int, after: int
) -> list[RepositoryStanding]:
    """The next repositories of a registry behind one of them, at most `PAGE`."""
    parameters = {"registry": registry_id, "after": after}
    rows = [_Newest._make(row) for row in _STANDING.read(connection, parameters)]
    found: dict[int, list[StandingViolation]] = {}
    for number, *rest in connection.execute(
        _OPEN, {"ids": listed([row.id for row in rows])}
    ):
        found.setdefault(number, []).append(StandingViolation(*rest))
    return [RepositoryStanding(row, found.get(row.id, ())) for row in rows]
