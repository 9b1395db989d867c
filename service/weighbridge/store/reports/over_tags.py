"""Tags that stand over a limit and are not what their stream is judged by."""

from datetime import datetime
from typing import NamedTuple

from msgspec import Struct
from sqlalchemy import Connection, and_, exists, func, select, tuple_

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.policy.policy import LimitKey, Severity
from weighbridge.domain.size.confidence import CompressedConfidence
from weighbridge.store.models import (
    blobs,
    manifest_sizes,
    over_tags,
    registries,
    repositories,
    tags,
    violations,
)
from weighbridge.store.sizes.manifest_sizes import COMPRESSED_CONFIDENCE

_row = over_tags.c
_violation = violations.c


class OverPlace(NamedTuple):
    """Where in the list a row stands: the table's key. Before all of them."""

    repository_id: int = 0
    tag_id: int = 0
    platform: str = ""
    limit_key: str = ""


class OverQuery(Struct, frozen=True):
    """Which of them; None: of all. team: "" for those of nobody's"""

    registry: str | None = None
    repository: str | None = None
    team: str | None = None
    severity: str | None = None
    policy: str | None = None


class OverRow(NamedTuple):
    """One tag, one platform, one limit.

    pushed_at:             when it came to this image, None where that is not known
    compressed_confidence: whose word the image's compressed bytes are
    """

    repository_id: int
    tag_id: int
    platform: str
    limit_key: LimitKey
    registry: str
    repository: str
    tag: str
    digest: Digest
    policy: str
    team: str | None
    severity: Severity
    limit_amount: int
    amount: int
    pushed_at: datetime | None
    compressed_confidence: CompressedConfidence

    @property
    def place(self) -> OverPlace:
        return OverPlace(*self[:4])


def read_over(
    connection: Connection, query: OverQuery, after: OverPlace | None, most: int
) -> list[OverRow]:
    """The next of them behind a place, in the order of their keys; what an open
    violation is of is left out, as that is listed already."""
    key = (_row.repository_id, _row.tag_id, _row.platform, _row.limit_key)
    has_violation = exists().where(
        _violation.repository_id == _row.repository_id,
        _violation.closed_at.is_(None),
        _violation.tag == tags.c.name,
        _violation.platform == _row.platform,
        _violation.limit_key == _row.limit_key,
    )
    statement = (
        select(
            *key,
            registries.c.name.label("registry"),
            repositories.c.name.label("repository"),
            tags.c.name.label("tag"),
            blobs.c.digest,
            _row.policy,
            _row.team,
            _row.severity,
            _row.limit_amount,
            _row.amount,
            func.coalesce(tags.c.pushed_at, tags.c.moved_at).label("pushed_at"),
            COMPRESSED_CONFIDENCE,
        )
        .join_from(over_tags, tags, tags.c.id == _row.tag_id)
        .join(repositories, repositories.c.id == _row.repository_id)
        .join(registries, registries.c.id == repositories.c.registry_id)
        .join(blobs, blobs.c.id == _row.image_id)
        .outerjoin(
            manifest_sizes,
            and_(
                manifest_sizes.c.scope_id == repositories.c.scope_id,
                manifest_sizes.c.manifest_id == _row.image_id,
            ),
        )
        .where(tags.c.deleted_at.is_(None), repositories.c.deleted_at.is_(None))
        .where(~has_violation)
        .order_by(*key)
        .limit(most)
    )
    wanted = (
        (registries.c.name, query.registry),
        (repositories.c.name, query.repository),
        (func.coalesce(_row.team, ""), query.team),
        (_row.severity, query.severity),
        (_row.policy, query.policy),
    )
    for column, value in wanted:
        if value is not None:
            statement = statement.where(column == value)
    if after is not None:
        statement = statement.where(tuple_(*key) > tuple_(*after))
    return [OverRow._make(row) for row in connection.execute(statement)]
