"""When a blob that is held already gets another size, or turns out to be an image.

A size is the first claim ever, and so it changes in two rare cases only: a blob was
known by its digest alone, or was said to be kept elsewhere (a foreign layer), and
now a document says that it is here. Whoever holds it is then brought up to date,
in the transaction that changed the blob's row.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from weighbridge.domain.sharing import SEVERAL, Settlement
from weighbridge.store.dialect import Purpose, among_ids, listed, lock, settles_at_once
from weighbridge.store.ledger import add_deduplicated
from weighbridge.store.locks import lock_repositories
from weighbridge.store.models import (
    blob_changes,
    repository_blobs,
    scope_blobs,
    storage_scopes,
)
from weighbridge.store.settling import move_totals

_MOST_PROBES: Final = 200_000
"""Beyond so many, one walk over all rows is faster than a probe in each scope."""

_held = repository_blobs.c
_shared = scope_blobs.c
_change = blob_changes.c
_SCOPES: Final = select(func.count()).select_from(storage_scopes)
_HOLDERS: Final = select(_held.scope_id, _held.repository_id, _held.blob_id).where(
    among_ids(_held.blob_id)
)
_IN_SCOPES: Final = select(_shared.scope_id).where(among_ids(_shared.blob_id))
_QUEUED: Final = select(_change.scope_id).where(among_ids(_change.blob_id)).distinct()
# The same two, by a probe of the key in each scope.
_PROBE_HOLDERS: Final = _HOLDERS.join_from(
    storage_scopes, repository_blobs, _held.scope_id == storage_scopes.c.id
)
_PROBE_SCOPES: Final = _IN_SCOPES.join_from(
    storage_scopes, scope_blobs, _shared.scope_id == storage_scopes.c.id
)
_SETTLED: Final = select(_shared.blob_id, _shared.sole_repository_id).where(
    _shared.scope_id == bindparam("scope"), among_ids(_shared.blob_id)
)


class _Holder(NamedTuple):
    scope_id: int
    repository_id: int
    blob_id: int


def resize(connection: Connection, deltas: Mapping[int, int]) -> None:
    """Add to the totals of whoever holds these blobs what they are larger by.

    The blobs' rows must have been changed already, in this transaction.
    """
    moved = {blob: delta for blob, delta in deltas.items() if delta}
    if not moved:
        return
    scopes, holders = _lock(connection, moved)
    more: Counter[int] = Counter()
    for holder in holders:
        more[holder.repository_id] += moved[holder.blob_id]
    for repository, delta in sorted(more.items()):
        add_deduplicated(connection, repository, delta)
    for scope in scopes:
        _resize_in(connection, scope, moved)


def _resize_in(
    connection: Connection, scope_id: int, deltas: Mapping[int, int]
) -> None:
    settlement = Settlement()
    for blob, sole in _settled(connection, scope_id, deltas):
        settlement.resize(SEVERAL if sole is None else sole, deltas[blob])
    move_totals(connection, scope_id, settlement)


def count_new_images(connection: Connection, weighed: Mapping[int, int]) -> None:
    """Count blobs as images of the scopes that hold them already as something else.

    weighed: the compressed bytes of each
    """
    if not weighed:
        return
    scopes, _ = _lock(connection, weighed)
    for scope in scopes:
        found = [blob for blob, _ in _settled(connection, scope, weighed)]
        settlement = Settlement(
            images=len(found), weighed_bytes=sum(weighed[blob] for blob in found)
        )
        move_totals(connection, scope, settlement)


def _settled(
    connection: Connection, scope_id: int, blob_ids: Collection[int]
) -> list[tuple[int, int | None]]:
    parameters = {"scope": scope_id, "ids": listed(sorted(blob_ids))}
    return [(row[0], row[1]) for row in connection.execute(_SETTLED, parameters)]


def _lock(
    connection: Connection, blob_ids: Collection[int]
) -> tuple[Sequence[int], Sequence[_Holder]]:
    """The scopes where these blobs are settled, and the repositories that hold them;
    no repository of these writes until we commit, nor does a scope's settler.

    What a settler or a batch has not committed yet is seen by what it will remove:
    a row of the queue, a row of what is settled.
    """
    is_few = _count_scopes(connection) * len(blob_ids) <= _MOST_PROBES
    parameters = {"ids": listed(sorted(blob_ids))}
    find_holders = _PROBE_HOLDERS if is_few else _HOLDERS
    find_scopes = _PROBE_SCOPES if is_few else _IN_SCOPES
    found = [_Holder(*row) for row in connection.execute(find_holders, parameters)]
    scopes = {holder.scope_id for holder in found}
    if settles_at_once(connection.dialect):
        return sorted(scopes), found
    scopes.update(connection.execute(find_scopes, parameters).scalars())
    scopes.update(connection.execute(_QUEUED, parameters).scalars())
    for scope in sorted(scopes):
        lock(connection, Purpose.SETTLE, scope)
    lock_repositories(connection, {holder.repository_id for holder in found})
    found = [_Holder(*row) for row in connection.execute(find_holders, parameters)]
    return sorted(scopes), found


def _count_scopes(connection: Connection) -> int:
    scopes: int = connection.execute(_SCOPES).scalar_one()
    return scopes
