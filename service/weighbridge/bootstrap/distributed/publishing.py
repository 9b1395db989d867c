"""Hands over what a worker counts, as nobody scrapes it: a service shows the sums."""

from threading import Lock
from typing import Final, Protocol

from weighbridge.jobs.redis.worker_register import Numbers, Series
from weighbridge.telemetry import Telemetry

EVERY_S: Final = 5.0


class Sums(Protocol):
    """Where they go: `jobs.redis.worker_register.Totals`."""

    def add(self, numbers: Numbers) -> tuple[set[Series], bool]:
        """Raises OSError."""


class Publishing:
    """What one process has counted and not yet handed over."""

    def __init__(self, telemetry: Telemetry, sums: Sums) -> None:
        self._telemetry = telemetry
        self._sums = sums
        self._lock = Lock()
        self._counted: dict[Series, float] = {}
        self._seen: dict[Series, float] = {}

    def publish(self) -> None:
        """Hand over what is new since the last time, which may be nothing. Raises
        OSError where Redis is away: then all of it is handed over the next time."""
        # The last time of a process may come while the one before still waits.
        with self._lock:
            self._publish(numbers_of(self._telemetry))

    def _publish(self, now: Numbers) -> None:
        # A 0 is told too: rates are seen from the first event on.
        grown = {
            one: value - self._counted.get(one, 0.0)
            for one, value in now.counted.items()
            if value != self._counted.get(one)
        }
        # Only what has changed: another process may have seen something since.
        changed = {
            one: value
            for one, value in now.seen.items()
            if value != self._seen.get(one)
        }
        if not grown and not changed:
            return
        had_told = bool(self._counted)
        taken, was_there = self._sums.add(Numbers(grown, changed))
        self._counted |= {one: now.counted[one] for one in grown if one in taken}
        self._seen |= {one: now.seen[one] for one in changed if one in taken}
        if had_told and not was_there:
            # Redis was emptied: what was seen once would not be told again.
            self._seen.clear()


def numbers_of(telemetry: Telemetry) -> Numbers:
    """Everything that crawling counts and sees, in this process."""
    counted: dict[Series, float] = {}
    seen: dict[Series, float] = {}
    families = (family for metric in telemetry.of_crawls for family in metric.collect())
    for family in families:
        numbers = seen if family.type == "gauge" else counted
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            numbers[Series(sample.name, labels)] = sample.value
    return Numbers(counted, seen)
