"""When registries are due, by a clock that may be put back meanwhile."""

from datetime import datetime, timedelta
from threading import Lock


class DueTimes:
    """For any thread. What was to wait for so long waits no longer than that from any
    moment at which it is looked at: where the clock was put back, time begins anew."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waits: dict[str, tuple[datetime, timedelta]] = {}

    def put(self, name: str, now: datetime, wait: timedelta) -> None:
        """From now on it is due after so long."""
        with self._lock:
            self._waits[name] = (now, wait)

    def due(self, now: datetime) -> list[str]:
        """Those whose time has come."""
        with self._lock:
            for name, (since, wait) in self._waits.items():
                self._waits[name] = (min(since, now), wait)
            return [
                n for n, (since, wait) in self._waits.items() if since + wait <= now
            ]
