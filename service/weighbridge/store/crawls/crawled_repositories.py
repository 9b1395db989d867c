"""What a crawl found in repositories, all together: how much they weigh, and which of
them are in trouble.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import (
    Connection,
    and_,
    func,
    select,
)

from weighbridge.domain.report.inventory import RepositoryState
from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.ledger.expressions import IS_IMAGE, exact_sum, sum_of
from weighbridge.store.models import (
    blobs,
    images,
    repositories,
    repository_manifests,
)
from weighbridge.store.sizes.manifest_sizes import COMPRESSED_BYTES, in_scope

_repository = repositories.c
_held = (
    select(
        repository_manifests.c.manifest_id,
        func.min(_repository.scope_id).label("scope_id"),
    )
    .join(repositories, _repository.id == repository_manifests.c.repository_id)
    .where(among_ids(repository_manifests.c.repository_id))
    .group_by(repository_manifests.c.manifest_id)
    .subquery()
)
_WEIGHED: Final = select(
    func.count().label("images"), *exact_sum(COMPRESSED_BYTES.element, "weighed")
).select_from(
    in_scope(
        _held.join(images, images.c.id == _held.c.manifest_id).join(
            blobs, and_(blobs.c.id == images.c.id, IS_IMAGE)
        ),
        _held.c.scope_id,
    )
)


def weighed(connection: Connection, repository_ids: Collection[int]) -> tuple[int, int]:
    """How many distinct live images these repositories have, and the sum of their
    compressed bytes."""
    row = connection.execute(_WEIGHED, {"ids": listed(repository_ids)}).one()
    return row.images, sum_of(row, "weighed")


class Troubled(Struct, frozen=True):
    """A repository whose numbers are not those of a whole crawl just now."""

    repository: str
    state: RepositoryState
    reason: str
    last_complete_crawl_at: datetime | None


def find_troubled(connection: Connection, ids: Collection[int]) -> list[Troubled]:
    """Those of the repositories that are not `ok`, oldest whole crawl first."""
    rows = connection.execute(
        select(
            _repository.name,
            _repository.state,
            _repository.state_reason,
            _repository.last_complete_crawl_at,
        )
        .where(among_ids(_repository.id), _repository.state != "ok")
        .order_by(
            _repository.last_complete_crawl_at.is_not(None),
            _repository.last_complete_crawl_at,
            _repository.name,
        ),
        {"ids": listed(ids)},
    )
    return [Troubled(*row) for row in rows]
