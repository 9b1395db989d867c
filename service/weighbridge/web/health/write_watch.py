"""Whether the database takes writes now, found out by writing one small row."""

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from weighbridge.errors import StoreError
from weighbridge.store.connection.deadlines import within
from weighbridge.store.leases.jobs import Job, note_done
from weighbridge.store.session import Database
from weighbridge.web.request.threads import DATABASE_S

DOWN_AFTER_S: Final = 5.0
"""The database is down once no write was committed for so long."""
_PAUSE_S: Final = 2.0
_WRITE: Final = Job("write_check")


class WriteWatch:
    """Writes every few seconds, on the thread that `watch` runs on; asked by others.

    Before `watch` began, nothing is known, and the database counts as up.
    """

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._now = now
        self._clock = clock
        # The beginning of the first write since the last one that was committed.
        self._failing_since: float | None = None
        self._error: StoreError | None = None

    @property
    def is_up(self) -> bool:
        return self.why_down() is None

    def why_down(self) -> StoreError | None:
        """Why no write was committed for `DOWN_AFTER_S`; None: one was. It asks
        nobody: a database that hangs keeps no one from hearing of it."""
        since = self._failing_since
        if since is None or self._clock() - since < DOWN_AFTER_S:
            return None
        return self._error or StoreError(
            f"the database has committed no write for {self._clock() - since:.0f} s",
            code="database_busy",
            hint="another process holds a lock on it, or its server does not answer",
            retryable=True,
        )

    def watch(self, stop: threading.Event) -> None:
        """Write until `stop`."""
        while not stop.is_set():
            self.write_once()
            stop.wait(_PAUSE_S)

    def write_once(self) -> None:
        """One row, committed or not."""
        if self._failing_since is None:
            self._failing_since = self._clock()
        try:
            with within(DATABASE_S), self._database.write() as connection:
                note_done(connection, _WRITE, self._now())
        except StoreError as exc:
            self._error = exc
        else:
            self._failing_since = self._error = None
