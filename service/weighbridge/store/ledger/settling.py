"""Settling: bringing the shared totals in line with who holds which blob now.

Whoever changes what a repository holds names the blobs here. On SQLite, where one
process writes at a time, they are settled in the same transaction. On PostgreSQL
their names are queued and settled by one process a scope (`settler`): two pushes
that share a base must not wait for each other's commit.
"""

from collections.abc import Collection
from typing import Final

from sqlalchemy import BigInteger, Connection, and_, bindparam, func, select, update
from sqlalchemy.sql.elements import ColumnElement

from weighbridge.domain.sharing import (
    NOBODY,
    SEVERAL,
    Hands,
    Passage,
    Settlement,
    in_hands,
    joined_hands,
    moved_total,
    settle,
)
from weighbridge.store.dialect import (
    ChangedRows,
    GoneRows,
    NewRows,
    Rows,
    among_ids,
    listed,
    settles_at_once,
)
from weighbridge.store.ledger.facts import (
    STORED_BYTES,
    WEIGHED_BYTES,
    sized,
    weighed,
)
from weighbridge.store.ledger.parts import parts_of
from weighbridge.store.ledger.sums import exact_sum, sum_of
from weighbridge.store.models import (
    blob_changes,
    blobs,
    repository_blobs,
    repository_summaries,
    scope_blobs,
    storage_scopes,
)
from weighbridge.store.types import LARGEST, bounded

_held = repository_blobs.c
_shared = scope_blobs.c
_scope = storage_scopes.c
_summary = repository_summaries.c


_SCOPE: Final = bindparam("scope", type_=BigInteger)


def _holder(order: ColumnElement[int]) -> ColumnElement[int]:
    # Two probes of the key, the same for one holder and for 40,000.
    return (
        select(_held.repository_id)
        .where(_held.scope_id == _SCOPE, _held.blob_id == blobs.c.id)
        .order_by(order)
        .limit(1)
        .scalar_subquery()
    )


_STATES: Final = Rows(
    select(
        blobs.c.id,
        _shared.blob_id.label("settled"),
        _shared.sole_repository_id,
        _holder(_held.repository_id.asc()).label("lowest"),
        _holder(_held.repository_id.desc()).label("highest"),
        STORED_BYTES.label("stored_bytes"),
        WEIGHED_BYTES.label("weighed_bytes"),
    )
    .select_from(
        weighed(
            sized(
                blobs.outerjoin(
                    scope_blobs,
                    and_(_shared.scope_id == _SCOPE, _shared.blob_id == blobs.c.id),
                ),
                _SCOPE,
            ),
            _SCOPE,
        )
    )
    .where(among_ids(blobs.c.id))
)
_KEY: Final = ("scope_id", "blob_id")
_ENTERED: Final = NewRows(scope_blobs, *_KEY, "sole_repository_id")
_CHANGED: Final = ChangedRows(scope_blobs, key=_KEY, values=["sole_repository_id"])
_LEFT: Final = GoneRows(scope_blobs, key=_KEY)
_ALL: Final = select(_shared.blob_id).where(_shared.scope_id == bindparam("scope"))
_PIECE: Final = 2_000
_QUEUE: Final = NewRows(blob_changes, *_KEY)

_EXCLUSIVE: Final = (
    select(_summary.repository_id, _summary.exclusive_bytes)
    .where(among_ids(_summary.repository_id))
    .order_by(_summary.repository_id)
    .with_for_update()
)
_SET_EXCLUSIVE: Final = ChangedRows(
    repository_summaries,
    key=["repository_id"],
    values=["exclusive_bytes"],
    also={"revision": _summary.revision + 1},
)
_TOTALS: Final = select(storage_scopes).where(_scope.id == bindparam("scope"))
_SET_TOTALS: Final = (
    update(storage_scopes)
    .where(_scope.id == bindparam("scope"))
    .values(
        image_count=bindparam("images", type_=BigInteger),
        weighed_bytes=bindparam("weighed", type_=BigInteger),
        deduplicated_bytes=bindparam("deduplicated", type_=BigInteger),
        shared_bytes=bindparam("shared", type_=BigInteger),
        revision=_scope.revision + 1,
    )
)
_HELD: Final = sized(
    scope_blobs.join(blobs, blobs.c.id == _shared.blob_id), _shared.scope_id
)
_IN_SCOPE: Final = (
    select(
        func.count(WEIGHED_BYTES).label("images"),
        *exact_sum(WEIGHED_BYTES, "weighed"),
        *exact_sum(STORED_BYTES, "deduplicated"),
    )
    .select_from(weighed(_HELD, _shared.scope_id))
    .where(_shared.scope_id == _SCOPE)
)
_SHARED: Final = (
    select(*exact_sum(STORED_BYTES, "bytes"))
    .select_from(_HELD)
    .where(_shared.scope_id == _SCOPE, _shared.sole_repository_id.is_(None))
)
_SOLE: Final = (
    select(*exact_sum(STORED_BYTES, "bytes"))
    .select_from(_HELD)
    .where(
        _shared.scope_id == _SCOPE,
        _shared.sole_repository_id == bindparam("repository"),
    )
)


def settle_or_queue(
    connection: Connection, scope_id: int, blob_ids: Collection[int]
) -> None:
    """Settle blobs that a repository of the scope began or ceased to hold, or leave
    that to the settler. Those that are shared already are named too: what somebody
    else is just letting go cannot be seen from here."""
    if not blob_ids:
        return
    if settles_at_once(connection.dialect):
        settle_blobs(connection, scope_id, blob_ids)
    else:
        _QUEUE.add(connection, [(scope_id, blob) for blob in sorted(blob_ids)])


def settle_blobs(
    connection: Connection, scope_id: int, blob_ids: Collection[int]
) -> None:
    """Bring a scope in line with who holds these blobs, in each of its parts. State
    against state, so it may be repeated; on PostgreSQL by one process a scope."""
    passages: dict[int, list[Passage]] = {}
    hands: dict[int, Hands] = {}
    for part in parts_of(connection, [scope_id]):
        passages[part] = _passages(connection, part, blob_ids)
        for passage in passages[part]:
            before = hands.get(passage.blob, NOBODY)
            hands[passage.blob] = joined_hands(before, passage.now)
    for part, found in passages.items():
        _settle_part(
            connection,
            part,
            settle(
                p if p.now == NOBODY else p._replace(now=hands[p.blob]) for p in found
            ),
        )


def _passages(
    connection: Connection, scope_id: int, blob_ids: Collection[int]
) -> list[Passage]:
    """Whose these blobs were and are, as far as one part of a scope knows."""
    parameters = {"scope": scope_id, "ids": listed(sorted(blob_ids))}
    return [
        Passage(
            blob,
            NOBODY if settled is None else sole or SEVERAL,
            in_hands(lowest, highest),
            stored_bytes,
            weighed_bytes,
        )
        for blob, settled, sole, lowest, highest, stored_bytes, weighed_bytes in (
            _STATES.read(connection, parameters)
        )
    ]


def _settle_part(connection: Connection, scope_id: int, settlement: Settlement) -> None:
    _ENTERED.add(
        connection, [(scope_id, b, _column(now)) for b, now in settlement.entered]
    )
    _CHANGED.set(
        connection, [(scope_id, b, _column(now)) for b, now in settlement.changed]
    )
    _LEFT.remove(connection, [(scope_id, blob) for blob in settlement.left])
    move_totals(connection, scope_id, settlement)


def resettle(connection: Connection, scope_ids: Collection[int]) -> None:
    """Settle everything in these scopes: an entry came to their address, or left it."""
    for scope_id in scope_ids:
        blob_ids = list(connection.execute(_ALL, {"scope": scope_id}).scalars())
        for start in range(0, len(blob_ids), _PIECE):
            settle_or_queue(connection, scope_id, blob_ids[start : start + _PIECE])


def _column(hands: Hands) -> int | None:
    return None if hands == SEVERAL else hands


def move_totals(connection: Connection, scope_id: int, settlement: Settlement) -> None:
    """Add a settlement's bytes to the totals of the scope and its repositories."""
    deltas = {r: n for r, n in settlement.exclusive_bytes.items() if n}
    if deltas:
        _move_exclusive(connection, scope_id, deltas)
    moves = (
        settlement.images,
        settlement.weighed_bytes,
        settlement.deduplicated_bytes,
        settlement.shared_bytes,
    )
    if any(moves):
        _move_scope(connection, scope_id, moves)


def _move_exclusive(
    connection: Connection, scope_id: int, deltas: dict[int, int]
) -> None:
    totals = []
    for repository, stored in connection.execute(
        _EXCLUSIVE, {"ids": listed(sorted(deltas))}
    ).all():
        total = moved_total(stored, deltas[repository], LARGEST)
        if total is None:
            total = sole_bytes(connection, scope_id, repository)
        totals.append((repository, total))
    _SET_EXCLUSIVE.set(connection, totals)


def _move_scope(
    connection: Connection, scope_id: int, moves: tuple[int, int, int, int]
) -> None:
    row = connection.execute(_TOTALS, {"scope": scope_id}).one()
    stored = (
        row.image_count,
        row.weighed_bytes,
        row.deduplicated_bytes,
        row.shared_bytes,
    )
    totals = [
        moved_total(total, move, LARGEST)
        for total, move in zip(stored, moves, strict=True)
    ]
    if None in totals:
        count_scope(connection, scope_id)
        return
    names = ("images", "weighed", "deduplicated", "shared")
    parameters = dict(zip(names, totals, strict=True))
    connection.execute(_SET_TOTALS, {"scope": scope_id, **parameters})


def count_scope(connection: Connection, scope_id: int) -> None:
    """Count a scope's totals anew from what is settled."""
    row = connection.execute(_IN_SCOPE, {"scope": scope_id}).one()
    shared = connection.execute(_SHARED, {"scope": scope_id}).one()
    connection.execute(
        _SET_TOTALS,
        {
            "scope": scope_id,
            "images": row.images,
            "weighed": bounded(sum_of(row, "weighed")),
            "deduplicated": bounded(sum_of(row, "deduplicated")),
            "shared": bounded(sum_of(shared, "bytes")),
        },
    )


def sole_bytes(connection: Connection, scope_id: int, repository_id: int) -> int:
    """What only this repository holds, counted anew from what is settled."""
    parameters = {"scope": scope_id, "repository": repository_id}
    return bounded(sum_of(connection.execute(_SOLE, parameters).one(), "bytes"))
