"""The clock of leases and due times, where several machines share a database.

A worker whose own clock is two days ahead would take everything for due, and keep it
for two days. So what counts is the database's clock.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection

from weighbridge.store.dialect.names import time_of_server
from weighbridge.store.session import Database

_TRIPS: Final = 3
_HOLDS_FOR_S: Final = 60.0


def _our_time() -> datetime:
    return datetime.now(UTC)


class DatabaseClock:
    """Called, it tells the time of the database, as far as that was measured last.

    ours:      this machine's time, where the database has no clock of its own
    monotonic: seconds that a clock which is put right does not change
    """

    def __init__(
        self,
        database: Database,
        *,
        ours: Callable[[], datetime] = _our_time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._ours = ours
        self._monotonic = monotonic
        self._measured: tuple[datetime, float] | None = None

    def __call__(self) -> datetime:
        if self._measured is None:
            return self._ours()
        then, at = self._measured
        return then + timedelta(seconds=self._monotonic() - at)

    def measure(self) -> None:
        """Ask the database what time it is. Raises StoreError.

        The shortest of a few trips counts: half of it is the most by which the answer
        can be wrong (Cristian, Probabilistic clock synchronization, 1989).
        """
        with self._database.read() as connection:
            trips = [self._trip(connection) for _ in range(_TRIPS)]
        shortest = min(trips, key=lambda trip: trip.took_s)
        if shortest.stated is not None:
            self._measured = (shortest.stated.astimezone(UTC), shortest.middle)

    def refresh(self) -> None:
        """`measure`, unless that was within the last minute: the server's clock may be
        put right meanwhile. Raises StoreError."""
        if (
            self._measured is None
            or self._monotonic() - self._measured[1] >= _HOLDS_FOR_S
        ):
            self.measure()

    def now(self) -> datetime:
        """The time, measured again where that was long ago. Raises StoreError."""
        self.refresh()
        return self()

    def _trip(self, connection: Connection) -> "_Trip":
        before = self._monotonic()
        stated = time_of_server(connection)
        took_s = self._monotonic() - before
        return _Trip(stated, before + took_s / 2, took_s)


class _Trip(NamedTuple):
    """What the database said, and when that was by our own seconds."""

    stated: datetime | None
    middle: float
    took_s: float
