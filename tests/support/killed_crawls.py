"""Crawls by the real command that are killed on their way, and crawled again."""

import json
import subprocess
import sys
import time
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
    done = subprocess.run(
        _command(replica, database_url, options),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said: dict[str, object] = json.loads(done.stdout)
    return said


def kill_and_crawl(
    replica: Replica, database_url: str, *options: str, at: int
) -> KilledCrawl:
    """kill -9 once the registry has answered so many requests, then crawl again."""
    replica.reset_counts()
    process = subprocess.Popen(
        _command(replica, database_url, options),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for_requests(replica, process, at)
        was_killed = process.poll() is None
    finally:
        process.kill()
        process.wait()
    before = sum(replica.reset_counts().values())
    said = crawl(replica, database_url, *options)
    return KilledCrawl(was_killed, before, sum(replica.counts().values()), said)


def _command(
    replica: Replica, database_url: str, options: tuple[str, ...]
) -> list[str]:
    target = [replica.address, "--database", database_url, "-o", "json"]
    return [sys.executable, *_CRAWL, *target, *options]


def _wait_for_requests(
    replica: Replica, process: subprocess.Popen[bytes], at: int
) -> None:
    ends_at = time.monotonic() + PATIENCE_S
    while sum(replica.counts().values()) < at and process.poll() is None:
        assert time.monotonic() < ends_at, f"fewer than {at} requests were made"
        time.sleep(0.002)
