"""What webhooks told, pruned by age once it was handled."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, delete, select

from weighbridge.store.dialect import among_ids, listed
from weighbridge.store.models import pushes
from weighbridge.store.session import Database

_PIECE: Final = 2_000
# Ids are in the order in which pushes came.
_NEXT: Final = (
    select(pushes.c.id, pushes.c.received_at, pushes.c.done_at)
    .where(pushes.c.id > bindparam("after"))
    .order_by(pushes.c.id)
    .limit(_PIECE)
)
_DROP: Final = delete(pushes).where(
    among_ids(pushes.c.id), pushes.c.done_at.is_not(None)
)


def prune_pushes(
    database: Database,
    keep: timedelta | None,
    now: datetime,
    is_stopped: Callable[[], bool],
) -> int:
    """Remove pushes that were done with longer ago than `keep`; returns how many.
    What still waits to be handled stays."""
    if keep is None:
        return 0
    removed, after = 0, -1
    while not is_stopped():
        with database.read() as connection:
            rows = connection.execute(_NEXT, {"after": after}).all()
        old = [r.id for r in rows if r.done_at is not None and r.done_at < now - keep]
        if old:
            with database.write() as connection:
                connection.execute(_DROP, {"ids": listed(old)})
        removed += len(old)
        if len(rows) < _PIECE or rows[-1].received_at > now - keep:
            break
        after = rows[-1].id
    return removed
