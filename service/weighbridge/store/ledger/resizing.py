"""When a blob that is held already gets another size, or turns out to be an image.

What a blob occupies in a storage scope changes when the registry's word arrives and is
not what was counted, when documents begin to disagree about a blob of which there is
no word, and when a blob is first known, read whole, or found to be here and not
elsewhere. Whoever holds it is then brought up to date in the same transaction. On
PostgreSQL that is one beside which no batch runs (`store.session.alone`), as a batch
may have read the size before: facts then only leave a mark, which the settler works
off.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, delete, select, update

from weighbridge.domain.sharing import SEVERAL, Settlement
from weighbridge.store.dialect import among_ids, listed, settles_at_once
from weighbridge.store.ledger.counts import add_deduplicated, mark_uncounted
from weighbridge.store.ledger.expressions import (
    CLAIMED_BYTES,
    STORED_BYTES,
    WEIGHED_BYTES,
    sized,
    weighed,
)
from weighbridge.store.ledger.scopes import (
    Holder,
    find_holders,
    find_scopes,
    lock_settling,
    move_totals,
)
from weighbridge.store.models import (
    blob_sizes,
    blobs,
    repositories,
    repository_manifests,
    scope_blobs,
)
from weighbridge.store.session import lock_repositories

_SCOPE: Final = bindparam("scope", type_=scope_blobs.c.scope_id.type)
_shared = scope_blobs.c
_SETTLED: Final = select(_shared.blob_id, _shared.sole_repository_id).where(
    _shared.scope_id == _SCOPE, among_ids(_shared.blob_id)
)
_live = repository_manifests.c
_LISTING: Final = (
    select(_live.repository_id).where(among_ids(_live.manifest_id)).distinct()
)
_LIVE_IN: Final = (
    select(_live.repository_id)
    .join(repositories, repositories.c.id == _live.repository_id)
    .where(among_ids(_live.manifest_id), repositories.c.scope_id == _SCOPE)
    .distinct()
)
_SIZES: Final = (
    select(blobs.c.id, STORED_BYTES.label("stored"))
    .select_from(sized(blobs, _SCOPE))
    .where(among_ids(blobs.c.id))
)
_WEIGHED: Final = (
    select(WEIGHED_BYTES.label("weighed"))
    .select_from(weighed(blobs, _SCOPE))
    .where(among_ids(blobs.c.id))
)
_MARKED: Final = (
    select(blobs.c.id)
    .where(blobs.c.is_uncounted)
    .order_by(blobs.c.id)
    .limit(bindparam("most"))
)
_SET_COUNTED: Final = (
    update(blobs)
    .where(among_ids(blobs.c.id))
    .values(
        counted_bytes=CLAIMED_BYTES,
        is_known=blobs.c.read_bytes.is_not(None),
        is_uncounted=False,
    )
)
# What a registry answered about a blob while it could not be read: it was read since.
_FORGET_ANSWERS: Final = delete(blob_sizes).where(
    blob_sizes.c.scope_id == _SCOPE,
    blob_sizes.c.blob_id.in_(
        select(blobs.c.id).where(
            among_ids(blobs.c.id), blobs.c.is_known, ~blobs.c.is_layer
        )
    ),
)
_MARK: Final = update(blobs).where(among_ids(blobs.c.id)).values(is_uncounted=True)


def claims_changed(connection: Connection, blob_ids: Collection[int]) -> None:
    """Have counted what claims say of these blobs now, or leave that to the settler.

    The blobs' rows must have been changed already, in this transaction.
    """
    if not blob_ids:
        return
    if settles_at_once(connection.dialect):
        count_claims(connection, blob_ids)
    else:
        connection.execute(_MARK, {"ids": listed(sorted(blob_ids))})


def marked_blobs(connection: Connection, most: int) -> Sequence[int]:
    """Blobs whose claims have changed and wait to be counted; at most so many."""
    return list(connection.execute(_MARKED, {"most": most}).scalars())


def count_claims(connection: Connection, blob_ids: Collection[int]) -> None:
    """Bring these blobs, and whoever holds them, in line with what claims say now.

    On PostgreSQL beside no batch, see `store.session.alone`.
    """
    ids = sorted(blob_ids)
    parameters = {"ids": listed(ids)}

    scopes = find_scopes(connection, ids)

    def change() -> None:
        connection.execute(_SET_COUNTED, parameters)
        for scope in scopes:
            connection.execute(_FORGET_ANSWERS, {**parameters, "scope": scope})

    resize(connection, scopes, ids, change)
    # Of one that an index lists and nobody could read, a claim is all that is known.
    mark_uncounted(connection, connection.execute(_LISTING, parameters).scalars().all())


def resize(
    connection: Connection,
    scopes: Sequence[int],
    blob_ids: Collection[int],
    change: Callable[[], None],
) -> None:
    """Make a change after which these blobs may count otherwise in these scopes, and
    add to all totals what they are larger (or smaller) by.

    On PostgreSQL beside no batch, see `store.session.alone`.
    """
    lock_settling(connection, scopes)
    before = {scope: _sizes(connection, scope, blob_ids) for scope in scopes}
    change()
    for scope in scopes:
        now = _sizes(connection, scope, blob_ids)
        deltas = {b: n - before[scope][b] for b, n in now.items()}
        moved = {blob: delta for blob, delta in deltas.items() if delta}
        if moved:
            _resize_in(connection, scope, moved)


def _sizes(
    connection: Connection, scope_id: int, blob_ids: Collection[int]
) -> dict[int, int]:
    parameters = {"scope": scope_id, "ids": listed(sorted(blob_ids))}
    return {row.id: row.stored for row in connection.execute(_SIZES, parameters)}


def _resize_in(
    connection: Connection, scope_id: int, deltas: Mapping[int, int]
) -> None:
    more: Counter[int] = Counter()
    for holder in find_holders(connection, sorted(deltas)):
        if holder.scope_id == scope_id:
            more[holder.repository_id] += deltas[holder.blob_id]
    add_deduplicated(connection, more)
    settlement = Settlement()
    for blob, sole in _settled(connection, scope_id, deltas):
        settlement.resize(SEVERAL if sole is None else sole, deltas[blob])
    move_totals(connection, {scope_id: settlement})


def reweigh(
    connection: Connection,
    scope_id: int,
    deltas: Mapping[int, int],
    change: Callable[[], None],
) -> None:
    """Make a change after which these images and artifacts weigh otherwise in a scope.

    deltas: by how much the compressed bytes of each are more (or less).
    On PostgreSQL beside no batch, see `store.session.alone`.
    """
    lock_settling(connection, [scope_id])
    change()
    settled = _settled(connection, scope_id, deltas)
    delta = sum(deltas[blob] for blob, _ in settled)
    move_totals(connection, {scope_id: Settlement(weighed_bytes=delta)})
    parameters = {"scope": scope_id, "ids": listed(sorted(deltas))}
    mark_uncounted(connection, connection.execute(_LIVE_IN, parameters).scalars().all())


def count_new_images(connection: Connection, image_ids: Collection[int]) -> None:
    """Count blobs as images of the scopes that hold them already as something else."""
    if not image_ids:
        return
    scopes, _ = _lock(connection, image_ids)
    for scope in scopes:
        found = [blob for blob, _ in _settled(connection, scope, image_ids)]
        parameters = {"scope": scope, "ids": listed(found)}
        weighed = [row.weighed for row in connection.execute(_WEIGHED, parameters)]
        settlement = Settlement(images=len(found), weighed_bytes=sum(weighed))
        move_totals(connection, {scope: settlement})


def _settled(
    connection: Connection, scope_id: int, blob_ids: Collection[int]
) -> list[tuple[int, int | None]]:
    parameters = {"scope": scope_id, "ids": listed(sorted(blob_ids))}
    return [(row[0], row[1]) for row in connection.execute(_SETTLED, parameters)]


def _lock(
    connection: Connection, blob_ids: Collection[int]
) -> tuple[Sequence[int], Sequence[Holder]]:
    """The scopes where these blobs are settled, and the repositories that hold them;
    no repository of these writes or is summed up until we commit, nor does a scope's
    settler write."""
    blobs = sorted(blob_ids)
    scopes = find_scopes(connection, blobs)
    found = find_holders(connection, blobs)
    if settles_at_once(connection.dialect):
        return scopes, found
    lock_settling(connection, scopes)
    lock_repositories(connection, {holder.repository_id for holder in found})
    # A batch that we waited for may have let one go.
    return scopes, find_holders(connection, blobs)
