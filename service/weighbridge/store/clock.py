"""The clock of leases and due times, where several machines share a database.

A worker whose own clock is two days ahead would take everything for due, and keep it
for two days. So what counts is the database's clock.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from weighbridge.store.dialect.clock import time_of_server
from weighbridge.store.session import Database


def _our_time() -> datetime:
    return datetime.now(UTC)


class DatabaseClock:
    """Called, it tells the time of the database, as far as that was measured last."""

    def __init__(
        self, database: Database, *, ours: Callable[[], datetime] = _our_time
    ) -> None:
        self._database = database
        self._ours = ours
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        return self._ours() + self._ahead

    def measure(self) -> None:
        """Ask the database what time it is. Raises StoreError."""
        with self._database.read() as connection:
            before = self._ours()
            stated = time_of_server(connection)
            after = self._ours()
        if stated is not None:
            self._ahead = stated.astimezone(UTC) - (before + (after - before) / 2)
