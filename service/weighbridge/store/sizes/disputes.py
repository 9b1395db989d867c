"""Claims that a registry contradicts: rows of `disputes`.

Those with the source `bulk` are sizes of images by the registry's own API that its word
on their layers contradicts. Such a row goes as soon as the listing says what the layers
make.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import BigInteger, Connection, and_, bindparam, delete, func, select

from weighbridge.domain.image.digest import Digest, raw
from weighbridge.domain.registry.listing import is_explained
from weighbridge.domain.report.inventory import Source
from weighbridge.store.dialect import (
    BulkInsert,
    Purpose,
    among_bytes,
    among_ids,
    join_in_order,
    listed,
    lock,
)
from weighbridge.store.facts.stored_images import StoredLayer, load_layers
from weighbridge.store.models import blobs, disputes, images, manifest_sizes
from weighbridge.store.models.types import bounded

_NEW: Final = BulkInsert(
    disputes,
    "scope_id",
    "manifest_id",
    "blob_id",
    "source",
    "claimed_bytes",
    "seen_at",
)
_KNOWN: Final = (
    select(disputes.c.blob_id, disputes.c.claimed_bytes, disputes.c.source)
    .where(
        disputes.c.scope_id == bindparam("scope", type_=BigInteger),
        among_ids(disputes.c.blob_id),
    )
    .distinct()
)


class Dispute(NamedTuple):
    """A claim that is not what the registry says.

    manifest_id: whose claim it is
    blob_id:     what it is about; of a bulk listing's size the image itself
    """

    manifest_id: int
    blob_id: int
    claimed_bytes: int
    source: Source = "manifest"


def note_disputes(
    connection: Connection, scope_id: int, found: Sequence[Dispute], now: datetime
) -> int:
    """Keep what is new of these. Returns how many claims of a blob's size nobody knew
    in this scope before, whoever makes them."""
    if not found:
        return 0
    blob_ids = listed(sorted({dispute.blob_id for dispute in found}))
    rows = connection.execute(_KNOWN, {"scope": scope_id, "ids": blob_ids})
    known = {(row.blob_id, row.claimed_bytes, row.source) for row in rows}
    bound = [one._replace(claimed_bytes=bounded(one.claimed_bytes)) for one in found]
    learned = {(d.blob_id, d.claimed_bytes, d.source) for d in bound} - known
    _NEW.add(
        connection,
        [
            (scope_id, d.manifest_id, d.blob_id, d.source, d.claimed_bytes, now)
            for d in sorted(set(bound))
        ],
    )
    return len(learned)


_PIECE: Final = 500
"""Images whose layers are in memory at once."""
_SCOPE: Final = bindparam("scope", type_=BigInteger)
_size = manifest_sizes.c
_config = blobs.alias("config")
_COMPARED: Final = (
    select(
        blobs.c.id,
        blobs.c.digest,
        _size.compressed_bytes,
        func.coalesce(_config.c.read_bytes, _config.c.compressed_bytes, 0).label(
            "config_bytes"
        ),
        disputes.c.claimed_bytes,
    )
    .select_from(
        join_in_order(
            join_in_order(
                blobs,
                manifest_sizes,
                and_(_size.scope_id == _SCOPE, _size.manifest_id == blobs.c.id),
            ),
            images,
            images.c.id == blobs.c.id,
        )
        .join(_config, _config.c.id == images.c.config_id)
        .outerjoin(
            disputes,
            and_(
                disputes.c.scope_id == _SCOPE,
                disputes.c.manifest_id == blobs.c.id,
                disputes.c.blob_id == blobs.c.id,
                disputes.c.source == "bulk",
            ),
        )
    )
    .where(
        among_bytes(blobs.c.digest),
        _size.is_whole,
        _size.compressed_confidence != "claimed",
    )
    .order_by(blobs.c.id)
)
_SETTLE: Final = delete(disputes).where(
    disputes.c.scope_id == _SCOPE,
    disputes.c.source == "bulk",
    among_ids(disputes.c.manifest_id),
)


def find_listed(
    connection: Connection, scope_id: int, sizes: Mapping[Digest, int]
) -> tuple[list[Dispute], list[int]]:
    """Hold a listing's sizes of images, by the digests of their manifests, against the
    word of the scope's registry.

    Returns the sizes that are not yet known to be false, and the images whose size was
    false and is not any more. Only images of which that word is known for every layer
    are compared; of one whose size is known to be false the first size stays.
    """
    hashes = sorted(raw(digest) for digest in sizes)
    parameters = {"scope": scope_id, "hashes": listed(hashes)}
    rows = connection.execute(_COMPARED, parameters).all() if hashes else []
    # Most are plainly right: no layer of them is read.
    doubtful = [row for row in rows if sizes[row.digest] != row.compressed_bytes]
    false: set[int] = set()
    for start in range(0, len(doubtful), _PIECE):
        piece = doubtful[start : start + _PIECE]
        layers = load_layers(connection, [row.id for row in piece], scope_id)
        false |= {
            row.id
            for row in piece
            if _is_false(sizes[row.digest], layers.get(row.id, []), row.config_bytes)
        }
    return (
        [
            Dispute(row.id, row.id, sizes[row.digest], "bulk")
            for row in rows
            if row.id in false and row.claimed_bytes is None
        ],
        [
            row.id
            for row in rows
            if row.id not in false and row.claimed_bytes is not None
        ],
    )


def keep_listed(
    connection: Connection,
    scope_id: int,
    sizes: Mapping[Digest, int],
    now: datetime,
) -> int:
    """Keep what `find_listed` finds. Returns how many false sizes were not known."""
    lock(connection, Purpose.PRUNE, shared=True)
    false, settled = find_listed(connection, scope_id, sizes)
    if settled:
        connection.execute(_SETTLE, {"scope": scope_id, "ids": listed(sorted(settled))})
    return note_disputes(connection, scope_id, false, now)


def _is_false(
    listed_bytes: int, layers: Sequence[StoredLayer], config_bytes: int
) -> bool:
    """Whether no way of counting makes a listing's size of these layers. It is not
    written down whether the listing counts layers that are called foreign."""
    known = [
        (one.layer.digest, one.measured.registry_bytes)
        for one in layers
        if one.measured is not None and one.measured.registry_bytes is not None
    ]
    if len(known) < len(layers) or any(one.layer.is_foreign for one in layers):
        return False
    return not is_explained(listed_bytes, known, config_bytes)
