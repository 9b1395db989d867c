"""What blobs count and manifests weigh, summed up anew from claims and answers."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import BigInteger, BindParameter, Connection, bindparam, select

from weighbridge.store.ledger.blob_expressions import CLAIMED_BYTES
from weighbridge.store.maintenance.checking.wrongs import COUNTED, WEIGHTS, Wrong
from weighbridge.store.models import blobs, manifest_sizes
from weighbridge.store.sizes.manifest_sizes import sum_again

_PIECE: Final = 2_000
_SCOPE: Final[BindParameter[int]] = bindparam("scope", type_=BigInteger)
_MISCOUNTED: Final = select(
    blobs.c.id, blobs.c.counted_bytes, CLAIMED_BYTES.label("claimed")
).where(blobs.c.is_uncounted.is_(False), blobs.c.counted_bytes != CLAIMED_BYTES)
_WHOLE: Final = (
    select(manifest_sizes.c.manifest_id)
    .where(
        manifest_sizes.c.scope_id == _SCOPE,
        manifest_sizes.c.manifest_id > bindparam("after"),
        manifest_sizes.c.is_whole,
    )
    .order_by(manifest_sizes.c.manifest_id)
    .limit(_PIECE)
)


def recount_claims(connection: Connection) -> Iterator[Wrong]:
    """Blobs that count something else than what is claimed of them, of any registry."""
    for blob, counted, claimed in connection.execute(_MISCOUNTED).all():
        yield Wrong(COUNTED, (blob,), (counted,), (claimed,))


def recount_weights(connection: Connection, scope_id: int) -> Iterator[Wrong]:
    """Manifests that weigh something else in a scope than what their blobs do."""
    after = -1
    while True:
        parameters = {"scope": scope_id, "after": after}
        ids = list(connection.execute(_WHOLE, parameters).scalars())
        for manifest, stored, summed in sum_again(connection, scope_id, ids):
            if stored != summed:
                yield Wrong(WEIGHTS, (scope_id, manifest), stored, summed)
        if len(ids) < _PIECE:
            return
        after = ids[-1]
