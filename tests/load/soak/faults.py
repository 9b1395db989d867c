"""What goes wrong: who is killed, who stands still, and for how long."""

import os
import random
import resource
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from load.soak.site import Site

_AWAY_S: Final = (0.5, 8.0)
_FROZEN_S: Final = (1.0, 15.0)
_PAUSE_S: Final = (0.5, 6.0)
_LONG_AWAY_S: Final = (65.0, 90.0)
"""Longer than an interval of the short rounds."""
_TWO_DAYS_S: Final = 2 * 86_400
_KIB: Final = 1024


@dataclass(slots=True)
class Faults:
    """One after the other, at moments that are chance; the same seed makes the same
    choices, if not at the same moments."""

    site: Site
    chance: random.Random
    tell: Callable[[str], None]
    weights: Mapping[str, int]
    made: dict[str, int] = field(default_factory=dict)

    def until(self, ends_at: float) -> None:
        """Each ends before the next begins, and the last before this returns."""
        while time.monotonic() < ends_at:
            time.sleep(self._seconds(_PAUSE_S))
            (name,) = self.chance.choices(*zip(*self.weights.items(), strict=True))
            self.tell(name)
            self.made[name] = self.made.get(name, 0) + 1
            getattr(self, f"_{name}")()

    def _kill_worker(self) -> None:
        self._kill_all_of("worker")

    def _kill_process_of_worker(self) -> None:
        """One of its processes, whichever: the first one, or one that works."""
        pids = self._pids_of("worker")
        if pids:
            _send(self.chance.choice(pids), signal.SIGKILL)

    def _freeze_worker(self) -> None:
        self._freeze(self._pids_of("worker"))

    def _freeze_process_of_worker(self) -> None:
        pids = self._pids_of("worker")
        if pids:
            self._freeze([self.chance.choice(pids)])

    def _stop_worker(self) -> None:
        """As at an upgrade."""
        name = self.chance.choice(self.site.names("worker"))
        _send(self.site.running[name].popen.pid, signal.SIGTERM)

    def _limit_files_of_worker(self) -> None:
        """None of its processes can open another file or connection."""
        with self._limited(resource.RLIMIT_NOFILE, lambda pid: _open_files(pid)):
            time.sleep(self._seconds(_AWAY_S))

    def _limit_memory_of_worker(self) -> None:
        """None of its processes gets more memory than it has."""
        with self._limited(resource.RLIMIT_AS, lambda pid: _mapped_bytes(pid)):
            time.sleep(self._seconds(_AWAY_S))

    @contextmanager
    def _limited(self, what: int, at: Callable[[int], int]) -> Iterator[None]:
        with ExitStack() as stack:
            for pid in self._pids_of("worker"):
                with suppress(ProcessLookupError, FileNotFoundError):
                    before = resource.prlimit(pid, what)
                    resource.prlimit(pid, what, (at(pid), before[1]))
                    stack.callback(_limit_again, pid, what, before)
            yield

    def _move_clock_of_worker(self) -> None:
        """Two days ahead or behind, and back."""
        clock = self.site.clocks[self.chance.choice(self.site.names("worker"))]
        clock.move(self.chance.choice((-_TWO_DAYS_S, _TWO_DAYS_S)))
        time.sleep(self._seconds(_FROZEN_S))
        clock.move(0)

    def _withhold_scheduler(self) -> None:
        """Nobody starts it anew for longer than an interval."""
        with self.site.withheld("scheduler"):
            time.sleep(self._seconds(_LONG_AWAY_S))

    def _kill_scheduler(self) -> None:
        self._kill_all_of("scheduler")

    def _freeze_scheduler(self) -> None:
        self._freeze(self._pids_of("scheduler"))

    def _kill_serve(self) -> None:
        self._kill_all_of("serve")

    def _lose_redis(self) -> None:
        """With all that it held."""
        self.site.redis.stop()
        time.sleep(self._seconds(_AWAY_S))
        self.site.redis.start()

    def _empty_redis(self) -> None:
        with self.site.redis.client() as client:
            client.flushall()

    def _freeze_redis(self) -> None:
        self.site.redis.freeze()
        time.sleep(self._seconds(_FROZEN_S))
        self.site.redis.resume()

    def _fill_redis(self) -> None:
        """It takes nothing more."""
        self._limit_redis("1", "noeviction")

    def _evict_redis(self) -> None:
        """It drops what it has, whatever that is."""
        self._limit_redis("1", "allkeys-random")

    def _demote_redis(self) -> None:
        """It follows another one that is not there, and may not be written."""
        with self.site.redis.client() as client:
            client.replicaof("127.0.0.1", "1")
            time.sleep(self._seconds(_AWAY_S))
            client.replicaof("NO", "ONE")

    def _limit_redis(self, maxmemory: str, policy: str) -> None:
        with self.site.redis.client() as client:
            client.config_set("maxmemory-policy", policy)
            client.config_set("maxmemory", maxmemory)
            time.sleep(self._seconds(_AWAY_S))
            client.config_set("maxmemory", "0")
            client.config_set("maxmemory-policy", "noeviction")

    def _crash_postgresql(self) -> None:
        self.site.cluster.stop_immediately()
        time.sleep(self._seconds(_AWAY_S))
        self.site.cluster.start()

    def _freeze_postgresql(self) -> None:
        with self.site.cluster.frozen():
            time.sleep(self._seconds(_FROZEN_S))

    def _kill_all_of(self, start: str) -> None:
        for pid in self._pids_of(start):
            _send(pid, signal.SIGKILL)

    def _freeze(self, pids: list[int]) -> None:
        for pid in pids:
            _send(pid, signal.SIGSTOP)
        time.sleep(self._seconds(_FROZEN_S))
        for pid in pids:
            _send(pid, signal.SIGCONT)

    def _pids_of(self, start: str) -> list[int]:
        return self.site.pids(self.chance.choice(self.site.names(start)))

    def _seconds(self, bounds: tuple[float, float]) -> float:
        return self.chance.uniform(*bounds)


WEIGHTS: Final[Mapping[str, int]] = {
    "kill_worker": 4,
    "kill_process_of_worker": 4,
    "freeze_worker": 2,
    "freeze_process_of_worker": 2,
    "stop_worker": 1,
    "limit_files_of_worker": 1,
    "limit_memory_of_worker": 1,
    "move_clock_of_worker": 1,
    "kill_scheduler": 1,
    "freeze_scheduler": 1,
    "withhold_scheduler": 1,
    "kill_serve": 2,
    "lose_redis": 2,
    "empty_redis": 2,
    "freeze_redis": 1,
    "fill_redis": 1,
    "evict_redis": 1,
    "demote_redis": 1,
    "crash_postgresql": 2,
    "freeze_postgresql": 2,
}
"""How often each comes, beside the others."""


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def _mapped_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmSize:"):
            return int(line.split()[1]) * _KIB
    raise ProcessLookupError(pid)  # It has ended and waits to be noticed.


def _limit_again(pid: int, what: int, before: tuple[int, int]) -> None:
    with suppress(ProcessLookupError):
        resource.prlimit(pid, what, before)
