"""When a blob that is held already gets another size, or turns out to be an image.

A size is the first claim ever, and so it changes in two rare cases only: a blob was
known by its digest alone, or was said to be kept elsewhere (a foreign layer), and
now a document says that it is here. Whoever holds it is then brought up to date,
in the transaction that changed the blob's row.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, select

from weighbridge.domain.sharing import SEVERAL, Settlement
from weighbridge.store.dialect import among_ids, listed, settles_at_once
from weighbridge.store.ledger.counts import mark_uncounted
from weighbridge.store.ledger.holders import Holder, find_holders, find_scopes
from weighbridge.store.ledger.holdings import add_deduplicated
from weighbridge.store.ledger.parts import lock_settling
from weighbridge.store.ledger.settling import move_totals
from weighbridge.store.locks import lock_repositories
from weighbridge.store.models import repository_manifests, scope_blobs

_shared = scope_blobs.c
_SETTLED: Final = select(_shared.blob_id, _shared.sole_repository_id).where(
    _shared.scope_id == bindparam("scope"), among_ids(_shared.blob_id)
)
_live = repository_manifests.c
_LISTING: Final = (
    select(_live.repository_id).where(among_ids(_live.manifest_id)).distinct()
)


def resize(connection: Connection, deltas: Mapping[int, int]) -> None:
    """Add to the totals of whoever holds these blobs what they are larger by.

    The blobs' rows must have been changed already, in this transaction.
    """
    if not deltas:
        return
    moved = {blob: delta for blob, delta in deltas.items() if delta}
    listing = _find_listing(connection, deltas)
    scopes, holders = _lock(connection, moved, also=listing)
    mark_uncounted(connection, listing)
    more: Counter[int] = Counter()
    for holder in holders:
        more[holder.repository_id] += moved[holder.blob_id]
    for repository, delta in sorted(more.items()):
        add_deduplicated(connection, repository, delta)
    for scope in scopes:
        _resize_in(connection, scope, moved)


def _find_listing(connection: Connection, blob_ids: Collection[int]) -> set[int]:
    """The repositories where these blobs are live manifests: of one that an index lists
    and nobody could read, a size is all that is known. A batch that comes to list one
    waits for its row, and knows the new size."""
    parameters = {"ids": listed(sorted(blob_ids))}
    return set(connection.execute(_LISTING, parameters).scalars())


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
    connection: Connection, blob_ids: Collection[int], also: Collection[int] = ()
) -> tuple[Sequence[int], Sequence[Holder]]:
    """The scopes where these blobs are settled, and the repositories that hold them;
    no repository of these, or of `also`, writes or is summed up until we commit, nor
    does a scope's settler write."""
    blobs = sorted(blob_ids)
    scopes = find_scopes(connection, blobs)
    found = find_holders(connection, blobs)
    if settles_at_once(connection.dialect):
        return scopes, found
    lock_settling(connection, scopes)
    lock_repositories(connection, {holder.repository_id for holder in found} | {*also})
    # A batch that we waited for may have let one go.
    return scopes, find_holders(connection, blobs)
