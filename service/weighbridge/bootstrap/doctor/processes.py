"""Whether somebody works: workers, what waits for them, and who enqueues it."""

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Final

from weighbridge.bootstrap.databases import checked_database
from weighbridge.bootstrap.doctor.check import CheckResult, Installation, State
from weighbridge.domain.text.units import format_duration
from weighbridge.jobs.worker_processes import require_workers
from weighbridge.ports.job_names import TICK
from weighbridge.presentation.forms.phrases import plural
from weighbridge.store.connection.deadlines import within
from weighbridge.store.leases.jobs import Job, done_at
from weighbridge.store.leases.validity import DatabaseClock

WORKERS: Final = "workers"
SCHEDULER: Final = "scheduler"
_TICKS_S: Final = 60.0
"""Six times as long as any pause between two ticks."""
_WAITS_S: Final = 900.0
"""A message that waits for longer is sent again: nobody comes to it in time."""


def look_at_workers(installation: Installation, _: str) -> Iterator[CheckResult]:
    """How many have said that they live, and what waits for them."""
    url = installation.settings.redis_url
    if url is None:
        return
    require_workers()

    from weighbridge.jobs.redis.worker_register import LIVES_S, WorkerRegister

    try:
        with closing(WorkerRegister(url)) as register:
            count, waiting = register.workers(), register.waiting()
    except OSError:
        text = "not checked, as Redis does not answer or does not let us in"
        yield CheckResult(WORKERS, "warning", text, "put Redis right first")
        return
    if not count:
        yield CheckResult(
            WORKERS,
            "fault",
            f"no worker has reported in the last {LIVES_S:.0f} seconds, so that nothing"
            " is crawled, measured or sent",
            "start weighbridge worker, and read its log if it ends",
        )
    else:
        tasks = sum(queue.tasks for queue in waiting.values())
        text = f"{plural(count, 'worker')}; {plural(tasks, 'message')} waiting"
        yield CheckResult(WORKERS, "ok", text)
    for name, queue in waiting.items():
        waits_s = time.time() - queue.oldest_at
        if queue.tasks and queue.oldest_at and waits_s > _WAITS_S:
            yield CheckResult(
                WORKERS,
                "warning",
                f"{plural(queue.tasks, 'message')} in the queue {name}, the oldest for"
                f" {format_duration(waits_s)}",
                "start more workers, for this queue: weighbridge worker --queues"
                f" {name}",
            )


def look_at_scheduler(installation: Installation, _: str) -> Iterator[CheckResult]:
    """When what is due was last looked for, as the database has it."""
    settings = installation.settings
    with within(installation.timeout_s), checked_database(settings) as database:
        clock = DatabaseClock(database, ours=lambda: datetime.now(UTC))
        clock.measure()
        with database.read() as connection:
            ticked_at = done_at(connection, Job(TICK))
        now = clock()
    yield ticking(ticked_at, now, has_others=settings.redis_url is not None)


def ticking(
    ticked_at: datetime | None, now: datetime, *, has_others: bool
) -> CheckResult:
    """has_others: whether several processes share the work"""
    who = "weighbridge scheduler" if has_others else "weighbridge up"
    if ticked_at is None:
        text = f"{who} has not run yet over this database, so that nothing is crawled"
        state: State = "fault" if has_others else "warning"
        return CheckResult(SCHEDULER, state, f"{text} by itself", f"start {who}")
    since_s = (now - ticked_at).total_seconds()
    if since_s <= _TICKS_S:
        since = format_duration(max(0.0, since_s))
        text = f"{who} runs: it looked for what is due {since} ago"
        return CheckResult(SCHEDULER, "ok", text)
    return CheckResult(
        SCHEDULER,
        "fault",
        f"{who} does not run: what is due was last searched for"
        f" {format_duration(since_s)} ago",
        f"start {who}; if it runs, see its log, and the workers that do its jobs"
        if has_others
        else f"start {who}; if it runs, see its log",
    )
