"""What each repository stores, noted once a day.

A repository stores its exclusive bytes, and a part of what the repositories of its
storage scope share: in proportion to what each of them holds of shared blobs. So the
parts add up to what the scope stores.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import BigInteger, Connection, and_, bindparam, exists, or_, select

from weighbridge.domain.traffic.months import day_of, month_of
from weighbridge.domain.traffic.shares import divided
from weighbridge.store.dialect import BulkUpsert, Rows
from weighbridge.store.ledger.counts import repeated_bytes
from weighbridge.store.models import (
    repositories,
    repository_summaries,
    storage_months,
    storage_scopes,
)
from weighbridge.store.models.types import bounded

_repository = repositories.c
_summary = repository_summaries.c
_month = storage_months.c
_REGISTRY: Final = bindparam("registry", type_=BigInteger)
_IN_MONTH: Final = and_(
    _month.month == bindparam("month"), _month.repository_id == _summary.repository_id
)
_IS_SUMMED_UP: Final = and_(
    _summary.registry_id == _REGISTRY, _summary.referenced_bytes.is_not(None)
)
_IS_ANY_LEFT: Final = select(
    exists()
    .select_from(repository_summaries.outerjoin(storage_months, _IN_MONTH))
    .where(
        _IS_SUMMED_UP,
        or_(_month.last_day.is_(None), _month.last_day < bindparam("day")),
    )
)
_STORED: Final = Rows(
    select(
        _summary.repository_id,
        _repository.scope_id,
        _summary.deduplicated_bytes,
        _summary.exclusive_bytes,
        _month.byte_days,
        _month.days,
        _month.last_day,
    )
    .select_from(
        repository_summaries.join(
            repositories, _repository.id == _summary.repository_id
        ).outerjoin(storage_months, _IN_MONTH)
    )
    .where(_IS_SUMMED_UP)
)
_SCOPES: Final = Rows(
    select(storage_scopes.c.id, storage_scopes.c.shared_bytes).where(
        storage_scopes.c.registry_id == _REGISTRY
    )
)
_PUT: Final = BulkUpsert(
    storage_months,
    key=("month", "repository_id"),
    values=("byte_days", "days", "last_day"),
)


class StorageDay(NamedTuple):
    """A row of `storage_months` with one day more.

    stored_bytes: what the day adds
    """

    month: int
    repository_id: int
    byte_days: int
    days: int
    last_day: int
    stored_bytes: int


def unnoted_storage(
    connection: Connection, registry_id: int, now: datetime
) -> Sequence[StorageDay]:
    """Of a registry's repositories those of which nothing is noted today yet, as they
    are to be noted. What was not summed up yet is left out."""
    month, today = month_of(now), day_of(now)
    parameters: dict[str, object] = {"registry": registry_id, "month": month}
    is_any_left = connection.execute(_IS_ANY_LEFT, {**parameters, "day": today})
    if not is_any_left.scalar():
        return ()
    rows = sorted(_STORED.read(connection, parameters))
    parts = _parts(connection, registry_id, rows)
    return [
        StorageDay(
            *(month, number, bounded((byte_days or 0) + parts[number])),
            *((days or 0) + 1, today, parts[number]),
        )
        for number, _, _, _, byte_days, days, last_day in rows
        if last_day is None or last_day < today
    ]


_Stored = tuple[int, int, int, int, int | None, int | None, int | None]


def _parts(
    connection: Connection, registry_id: int, rows: Sequence[_Stored]
) -> dict[int, int]:
    repeated = {
        scope_id: part
        for (registry, scope_id), part in repeated_bytes(connection).items()
        if registry == registry_id
    }
    shared = dict(_SCOPES.read(connection, {"registry": registry_id}))
    members: dict[int, list[tuple[int, int, int]]] = {}
    for number, scope_id, deduplicated, exclusive, *_ in rows:
        members.setdefault(scope_id, []).append((number, deduplicated, exclusive))
    parts: dict[int, int] = {}
    for scope_id, held in members.items():
        # What another entry of the same address holds too is noted with that one.
        whole = max(0, shared.get(scope_id, 0) - repeated.get(scope_id, 0))
        weights = [max(0, deduplicated - own) for _, deduplicated, own in held]
        for (number, _, own), part in zip(held, divided(whole, weights), strict=True):
            parts[number] = own + part
    return parts


def note_storage(connection: Connection, days: Sequence[StorageDay]) -> None:
    """Keep them. Nobody else may do so for their registry."""
    _PUT.add(connection, sorted(day[:-1] for day in days))
