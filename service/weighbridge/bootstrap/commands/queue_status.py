"""What `weighbridge queue` reads: the database, and Redis where there is one."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct, field

from weighbridge.bootstrap.databases import checked_database
from weighbridge.bootstrap.registries.asked_targets import asked_targets
from weighbridge.config import Settings
from weighbridge.domain.report.inventory import (
    QueueWaiting,
    RegistryWaiting,
    RepositoryWaiting,
)
from weighbridge.domain.text.secret import Secret
from weighbridge.engine.schedule.waiting_work import queues_waiting
from weighbridge.errors import UsageError
from weighbridge.ports.job_names import QUEUE_OF, TICK
from weighbridge.store.connection.deadlines import within
from weighbridge.store.leases.database_clock import DatabaseClock
from weighbridge.store.leases.jobs import Job, done_at
from weighbridge.store.reports.waiting import (
    find_waiting,
    registries_waiting,
    repositories_waiting,
)
from weighbridge.store.session import Database

if TYPE_CHECKING:  # It needs redis, which only the extra `workers` brings.
    from weighbridge.jobs.redis.worker_register import Numbers, QueueLength

READ_S: Final = 10.0
"""All that is asked of the database has ended then, or was given up."""
MOST: Final = 100
"""Repositories of one registry that are listed."""
_SUM: Final = "weighbridge_task_duration_seconds_sum"
_COUNT: Final = "weighbridge_task_duration_seconds_count"

RedisState: TypeAlias = Literal["none", "ok", "unavailable"]
"""`none`: none is configured, and one process does all."""


class TaskLine(Struct, frozen=True):
    """What workers have counted of one task; mean_s: None where nobody told it."""

    task: str
    taken: int
    failed: int
    mean_s: float | None


class Broker(Struct, frozen=True):
    """What Redis says.

    messages: by queue, how many wait and since when (0: unknown)
    pauses:   by registry, the seconds for which no process asks it, as it told one
    """

    state: RedisState
    workers: int | None = None
    messages: "Mapping[str, QueueLength] | None" = None
    tasks: tuple[TaskLine, ...] | None = None
    pauses: Mapping[str, float] = field(default_factory=dict)


class QueueStatus(Struct, frozen=True):
    """All that waits.

    ticked_at: when somebody last looked for what is due; None: never
    """

    now: datetime
    ticked_at: datetime | None
    queues: list[QueueWaiting]
    registries: list[RegistryWaiting]
    broker: Broker


def queue_status(settings: Settings) -> QueueStatus:
    """Raises StoreError. Redis may be away: that is said, and not waited for."""
    with _opened(settings) as (database, now), database.read() as connection:
        registries = registries_waiting(connection, now)
        queues = queues_waiting(connection, registries, now)
        ticked_at = done_at(connection, Job(TICK))
    broker = _broker(settings.redis_url, [one.registry for one in registries])
    return QueueStatus(now, ticked_at, queues, registries, broker)


def waiting_of(
    settings: Settings, target: str
) -> tuple[list[RepositoryWaiting], datetime]:
    """Why a repository is not crawled now, or those of a registry that wait for
    something; and what time it is for the database. Raises StoreError, and
    UsageError(registry_not_found, unknown_target, unknown_repository)."""
    find = asked_targets(settings)
    registry, _, repository = target.partition("/")
    is_left_out = False
    try:
        asked = find(target)
    except UsageError as exc:
        if exc.code != "outside_filter":
            raise
        is_left_out = True
    else:
        repository = asked.repository
    with _opened(settings) as (database, now), database.read() as connection:
        if not repository:
            return repositories_waiting(connection, registry, now, MOST), now
        found = find_waiting(connection, registry, repository, now)
    if is_left_out:
        return [_left_out(registry, repository, found)], now
    if found is None:
        raise UsageError(
            f"no crawl has found {registry}/{repository} yet",
            code="unknown_repository",
            hint=f"weighbridge queue {registry}",
        )
    return [found], now


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[Database, datetime]]:
    with checked_database(settings) as database, within(READ_S):
        clock = DatabaseClock(database, ours=lambda: datetime.now(UTC))
        clock.measure()
        yield database, clock()


def _left_out(
    registry: str, repository: str, found: RepositoryWaiting | None
) -> RepositoryWaiting:
    return RepositoryWaiting(
        registry=registry,
        repository=repository,
        why="outside_filter",
        since=None,
        until=None,
        due_at=None,
        owner=None if found is None else found.owner,
        attempts=0 if found is None else found.attempts,
        state="new" if found is None else found.state,
        state_reason="" if found is None else found.state_reason,
        last_crawl_at=None if found is None else found.last_crawl_at,
    )


def _broker(redis_url: Secret | None, registries: Sequence[str]) -> Broker:
    if redis_url is None:
        return Broker("none")
    if find_spec("redis") is None:
        return Broker("unavailable")
    from weighbridge.jobs.pacing.shared_pacing import read_pauses
    from weighbridge.jobs.redis.worker_register import Totals, WorkerRegister

    register, totals = WorkerRegister(redis_url), Totals(redis_url)
    try:
        workers, messages, counts = (
            register.workers(),
            register.waiting(),
            register.counts(),
        )
        tasks = _tasks(counts, totals.read())
        pauses = read_pauses(redis_url, registries)
    except OSError:
        return Broker("unavailable")
    finally:
        register.close()
        totals.close()
    return Broker("ok", workers, messages, tasks, pauses)


def _tasks(
    counts: Mapping[tuple[str, str, str], int], numbers: "Numbers"
) -> tuple[TaskLine, ...]:
    from weighbridge.jobs.redis.worker_register import FAILED, TAKEN, Series

    lines = []
    for task in QUEUE_OF:
        labels = (("task", task),)
        done = numbers.counted.get(Series(_COUNT, labels), 0.0)
        seconds = numbers.counted.get(Series(_SUM, labels), 0.0)
        lines.append(
            TaskLine(
                task,
                counts.get((TAKEN, task, ""), 0),
                counts.get((FAILED, task, ""), 0),
                seconds / done if done else None,
            )
        )
    return tuple(line for line in lines if line.taken or line.mean_s is not None)
