"""The three ways in which a registry is crawled to its end: by `crawl`, by `up`, and by
two workers with a scheduler."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, exists, literal, or_, select

from load.golden.place import Place
from support.redis_server import a_redis
from support.serving import free_address, log_of, serving
from support.worker_crew import Crew
from weighbridge.store.models import (
    blob_changes,
    jobs,
    notification_groups,
    registries,
    repositories,
    unjudged,
)
from weighbridge.store.session import Database

Cost: TypeAlias = dict[str, Any]
"""Seconds, CPU seconds of all our processes, requests by kind."""
WORKERS: Final = 2
PATIENCE_S: Final = 300.0
_QUIET_FOR: Final = 4
"""Looks in a row, half a second apart, that must find nothing left to do."""
_PAUSE_S: Final = 0.5


def by_crawl(place: Place) -> str:
    """What the command printed."""
    config = place.configure({})
    done = subprocess.run(
        [
            *(sys.executable, "-m", "weighbridge", "crawl", "-o", "json"),
            *("--config", str(config)),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=place.folder,
    )
    if done.returncode not in (0, 3):
        raise RuntimeError(done.stderr[-2_000:])
    return done.stdout


def by_up(place: Place) -> str:
    """Nothing is printed; the service runs until all is done."""
    config, since = place.configure({}), datetime.now(UTC)
    address = free_address()
    command = [sys.executable, "-m", "weighbridge", "up", "--bind", address]
    with serving(
        [*command, "--config", str(config)], place.folder, address, "/readyz"
    ) as process:
        _wait(place.database, since, lambda: log_of(place.folder))
        _end(process)
    return ""


def by_workers(place: Place) -> str:
    """Nothing is printed; they run until all is done."""
    with a_redis() as redis, ExitStack() as stack:
        config = place.configure({"redis_url": redis.url.reveal()})
        crew = Crew(place.folder, redis, place.database_url, place.database, config)
        since = datetime.now(UTC)
        members = [*(crew.worker() for _ in range(WORKERS)), crew.quick_scheduler()]
        for member in members:
            stack.callback(member.stop)
        _wait(place.database, since, lambda: crew.logs)
    return ""


WAYS: Final[Mapping[str, Callable[[Place], str]]] = {
    "crawl": by_crawl,
    "up": by_up,
    "workers": by_workers,
}


def _wait(database: Database, since: datetime, log: Callable[[], str]) -> None:
    ends_at, quiet = time.monotonic() + PATIENCE_S, 0
    while quiet < _QUIET_FOR:
        if time.monotonic() > ends_at:
            raise RuntimeError(f"not through in {PATIENCE_S:.0f} s\n{log()}")
        time.sleep(_PAUSE_S)
        with database.read() as connection:
            left = _left(connection, since)
        quiet = 0 if left else quiet + 1


def _left(connection: Connection, since: datetime) -> list[str]:
    """What there is still to do; nothing where all was seen since then."""
    unseen = or_(
        registries.c.last_complete_discovery_at.is_(None),
        registries.c.last_complete_discovery_at < since,
    )
    waiting = or_(
        repositories.c.last_crawl_at.is_(None),
        repositories.c.last_crawl_at < since,
        repositories.c.lease_until.is_not(None),
    )
    questions = {
        "registries": select(registries.c.id).where(unseen),
        "no registry yet": select(literal(1)).where(~exists(registries.c.id)),
        "repositories": select(repositories.c.id).where(
            waiting,
            repositories.c.deleted_at.is_(None),
            repositories.c.state != "missing",
        ),
        "unsettled": select(blob_changes.c.id),
        "unjudged": select(unjudged.c.tag_id).where(~unjudged.c.is_weighed),
        "jobs": select(jobs.c.job).where(jobs.c.lease_until.is_not(None)),
        "messages": select(notification_groups.c.id).where(
            notification_groups.c.next_at.is_not(None)
        ),
    }
    return [
        what
        for what, question in questions.items()
        if connection.execute(question.limit(1)).first() is not None
    ]


def _end(process: "subprocess.Popen[bytes]") -> None:
    os.kill(process.pid, signal.SIGTERM)
    process.wait(60)


@contextmanager
def child_cpu() -> Iterator[Callable[[], float]]:
    """CPU seconds of the processes that ended since, and were waited for."""
    before = os.times()

    def used() -> float:
        after = os.times()
        return (after.children_user - before.children_user) + (
            after.children_system - before.children_system
        )

    yield used
