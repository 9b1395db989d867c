"""The clock of leases and due times, where several machines share a database.

A worker whose own clock is two days ahead would take everything for due, and keep it
for two days. So what counts is the database's clock.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from weighbridge.store.dialect.clock import time_of_server
from weighbridge.store.session import Database


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
        """Ask the database what time it is. Raises StoreError."""
        with self._database.read() as connection:
            before = self._monotonic()
            stated = time_of_server(connection)
            after = self._monotonic()
        if stated is not None:
            self._measured = (stated.astimezone(UTC), (before + after) / 2)
