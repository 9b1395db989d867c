"""Crawls by the real command that are killed on their way, and crawled again."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from support.replica.process import Replica

PATIENCE_S: Final = 120.0
_CRAWL: Final = ("-m", "weighbridge", "crawl")


@dataclass(frozen=True, slots=True)
class KilledCrawl:
    """What a crawl that was killed and its successor asked of the registry.

    was_killed: False where it had come to its end before
    """

    was_killed: bool
    requests_before: int
    requests_after: int
    said: dict[str, object]

    @property
    def requests(self) -> int:
        return self.requests_before + self.requests_after


def crawl(replica: Replica, database_url: str, *options: str) -> dict[str, object]:
    """One crawl to its end; what it printed."""
    with begun_crawl(replica, database_url, *options) as begun:
        return begun.end()


@dataclass(frozen=True, slots=True)
class BegunCrawl:
    """A crawl that runs in a process of its own."""

    replica: Replica
    process: "subprocess.Popen[str]"

    def wait_for_requests(self, at: int) -> bool:
        """Wait until the registry has answered so many; whether it still runs."""
        ends_at = time.monotonic() + PATIENCE_S
        while sum(self.replica.counts().values()) < at and self.process.poll() is None:
            assert time.monotonic() < ends_at, f"fewer than {at} requests were made"
            time.sleep(0.002)
        return self.process.poll() is None

    @property
    def complaints(self) -> str:
        """All that it wrote beside its results, once it has ended."""
        return self.process.communicate(timeout=PATIENCE_S)[1]

    def end(self) -> dict[str, object]:
        """Wait for it; what it printed. It must have gone well."""
        printed, complaints = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0, printed + complaints
        said: dict[str, object] = json.loads(printed)
        return said


@contextmanager
def begun_crawl(
    replica: Replica, database_url: str, *options: str
) -> Iterator[BegunCrawl]:
    """Runs until it ends, and is killed at the end of the block."""
    with subprocess.Popen(
        _command(replica, database_url, options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield BegunCrawl(replica, process)
        finally:
            process.kill()


def kill_crawl(replica: Replica, database_url: str, *options: str, at: int) -> bool:
    """kill -9 once the registry has answered so many requests; False where it had
    come to its end before."""
    replica.reset_counts()
    with begun_crawl(replica, database_url, *options) as begun:
        return begun.wait_for_requests(at)


def kill_and_crawl(
    replica: Replica, database_url: str, *options: str, at: int
) -> KilledCrawl:
    """kill -9 once the registry has answered so many requests, then crawl again."""
    was_killed = kill_crawl(replica, database_url, *options, at=at)
    before = sum(replica.reset_counts().values())
    said = crawl(replica, database_url, *options)
    return KilledCrawl(was_killed, before, sum(replica.counts().values()), said)


def _command(
    replica: Replica, database_url: str, options: tuple[str, ...]
) -> list[str]:
    target = [replica.address, "--database", database_url, "-o", "json"]
    return [sys.executable, *_CRAWL, *target, *options]
