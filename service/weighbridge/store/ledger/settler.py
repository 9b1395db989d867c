"""The settler: takes what waits in `blob_changes` and settles it, and blobs whose
claims have changed. PostgreSQL only.

A change row commits with its effect, so whoever sees the row sees the effect, and
what is in flight brings a row of its own. The shared totals are exact whenever the
queue is empty; what a repository holds itself is exact always.
"""

from typing import Final

import structlog
from sqlalchemy import bindparam, delete, select

from weighbridge.beat import Beat
from weighbridge.errors import WeighbridgeError
from weighbridge.store.alone import alone
from weighbridge.store.ledger.registry_sums import fold
from weighbridge.store.ledger.resizing import count_claims, marked_blobs
from weighbridge.store.ledger.scope_parts import lock_settling
from weighbridge.store.ledger.settling import settle_blobs
from weighbridge.store.models import blob_changes
from weighbridge.store.session import Database

IDLE_S: Final = 0.2
FAILED_S: Final = 2.0
"""Between two tries, while the database does not let us."""
_STEP: Final = 5_000
"""Changes that are settled in one transaction."""
_BLOBS: Final = 500
"""Blobs whose claims have changed, beside which no batch runs: see `resizing`."""

_change = blob_changes.c
_OLDEST: Final = select(_change.scope_id).order_by(_change.id).limit(1)
_FIRST: Final = (
    select(_change.id)
    .where(_change.scope_id == bindparam("scope"))
    .order_by(_change.id)
    .limit(_STEP)
)
_TAKE: Final = (
    delete(blob_changes).where(_change.id.in_(_FIRST)).returning(_change.blob_id)
)


def settle_waiting(database: Database) -> int:
    """Settle the scope that waits longest, one step; how many changes that took.

    0: nothing waits, as always on SQLite, which settles in each batch. Safe in
    several processes at once: one of them works on a scope, the others wait for it.
    Raises StoreError(database_busy, ...).
    """
    if database.settles_at_once:
        return 0
    fold(database)
    with database.read() as connection:
        scope: int | None = connection.execute(_OLDEST).scalar()
        is_marked = bool(marked_blobs(connection, 1))
    if is_marked:
        with alone(database) as connection:
            counted = marked_blobs(connection, _BLOBS)
            count_claims(connection, counted)
        return max(len(counted), 1)
    if scope is None:
        return 0
    with database.write() as connection:
        lock_settling(connection, [scope])
        taken = list(connection.execute(_TAKE, {"scope": scope}).scalars())
        if taken:
            settle_blobs(connection, {scope: set(taken)})
    # Where another process was faster, there may still be more.
    return max(len(taken), 1)


def settle_all(database: Database) -> None:
    """Settle until nothing waits: afterwards every total is exact, as far as nobody
    writes meanwhile. Raises StoreError(database_busy, ...)."""
    while settle_waiting(database):
        pass


class Settler:
    """A thread that settles what waits until it is closed; it does nothing where
    batches settle themselves. What fails is tried again, and logged once until it
    goes well or fails otherwise."""

    def __init__(self, database: Database, idle_s: float = IDLE_S) -> None:
        self._database = database
        self._idle_s = idle_s
        self._failure = ""
        self._log = structlog.get_logger("weighbridge.settler")
        self._beat = Beat("weighbridge-settler", self._step)

    def start(self) -> None:
        if not self._database.settles_at_once:
            self._beat.start()

    def close(self) -> None:
        """Let the step that runs come to its end; what then waits stays queued."""
        self._beat.close()

    def _step(self) -> float:
        if self._settle():
            return 0.0
        return FAILED_S if self._failure else self._idle_s

    def _settle(self) -> int:
        try:
            settled = settle_waiting(self._database)
        except WeighbridgeError as exc:
            if exc.code != self._failure:
                level = self._log.warning if exc.retryable else self._log.error
                level("settling failed", code=exc.code, why=exc.message)
            self._failure = exc.code
            return 0
        self._failure = ""
        return settled
