"""Claims that a registry contradicts: rows of `disputes`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import BigInteger, Connection, bindparam, select

from weighbridge.domain.report.inventory import Source
from weighbridge.store.dialect import BulkInsert, among_ids, listed
from weighbridge.store.models import disputes
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
