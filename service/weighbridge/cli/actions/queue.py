"""What `weighbridge queue` reads, of the database and of Redis, and prints."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct, field

from weighbridge.bootstrap.databases import checked_database
from weighbridge.bootstrap.registries.sites import asked_targets
from weighbridge.config import Settings
from weighbridge.domain.report.inventory import (
    WAIT_REASONS,
    CrawlBar,
    QueueWaiting,
    RegistryWaiting,
    RepositoryWaiting,
    WaitReason,
)
from weighbridge.domain.size.weighing import rfc3339
from weighbridge.domain.text.printable import Secret
from weighbridge.domain.text.units import format_duration
from weighbridge.engine.schedule.tick_job import queues_waiting
from weighbridge.errors import UsageError
from weighbridge.ports.job_names import QUEUE_OF, TICK
from weighbridge.presentation.forms.csv_json_markdown import json_text
from weighbridge.presentation.forms.phrases import ago, ahead
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.rows.report_rows import keys_of, row_of
from weighbridge.store.connection.deadlines import within
from weighbridge.store.leases.jobs import Job, done_at
from weighbridge.store.leases.validity import DatabaseClock, pid_of
from weighbridge.store.reports.crawls import (
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
        tasks = _task_lines(counts, totals.read())
        pauses = read_pauses(redis_url, registries)
    except OSError:
        return Broker("unavailable")
    finally:
        register.close()
        totals.close()
    return Broker("ok", workers, messages, tasks, pauses)


def _task_lines(
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


_REGISTRY: Final = (*keys_of(RegistryWaiting), "pause_seconds")
_QUEUE: Final = (*keys_of(QueueWaiting), "messages", "oldest_message_at")
_TASK: Final = ("task", "taken", "failed", "mean_seconds")
_WORDS: Final[Mapping[CrawlBar, str]] = {
    "unconfigured": "its registry is not configured any more",
    "outside_filter": "`repositories` of its registry leaves it out",
    "deleted": "the registry does not have it any more",
    "leased": "it is being crawled",
    "unreachable": "its registry does not answer",
    "poison": "its crawls ended their process",
    "quota": "the registry's quota is spent",
    "put_off": "it was put off after its last crawl",
    "not_due": "it is not due",
    "limit": "due: others of its registry are crawled first",
    "due": "due: a process that is free takes it",
}


def overview(status: QueueStatus, output: Output, screen: Screen) -> str:
    """All that waits. CSV has a row a registry."""
    queues, registries, tasks = _queues(status), _registries(status), _tasks()
    counted = status.broker.tasks
    if output == "json":
        return json_text(
            {
                "ticked_at": rfc3339(status.ticked_at),
                "redis": status.broker.state,
                "workers": status.broker.workers,
                "queues": queues.objects(status.queues),
                "registries": registries.objects(status.registries),
                "tasks": None if counted is None else tasks.objects(counted),
            }
        )
    if output == "csv":
        return registries.csv(status.registries)
    if output == "markdown":
        parts = [
            queues.markdown(status.queues) if status.queues else "",
            registries.markdown(status.registries) if status.registries else "",
            tasks.markdown(counted) if counted else "",
        ]
    else:
        parts = [
            _head(status),
            queues.text(status.queues, screen),
            registries.text(status.registries, screen),
            "\n".join(_pause(*one) for one in status.broker.pauses.items()),
            tasks.text(counted or (), screen),
        ]
    return "\n\n".join(filter(None, parts))


def notes(status: QueueStatus) -> list[str]:
    """What could not be read."""
    if status.broker.state == "unavailable":
        return ["Redis does not answer: messages, workers and tasks are not known"]
    if status.broker.state == "none":
        return ["no Redis is configured: what `up` has done is on its /metrics"]
    return []


def repositories(
    rows: Sequence[RepositoryWaiting], output: Output, screen: Screen, now: datetime
) -> str:
    """A row a repository: what keeps it."""
    table: Table[RepositoryWaiting] = Table(
        columns=(
            Column("repository", _name, "name"),
            Column("why", lambda one: _WORDS[one.why], "line"),
            Column("since", lambda one: ago(one.since, now), rank=3),
            Column("until", lambda one: ahead(one.until, now), rank=4),
            Column("by", lambda one: _owner(one.owner), rank=2),
            Column("attempts", lambda one: str(one.attempts or ""), "number", rank=1),
            Column("last crawl", lambda one: ago(one.last_crawl_at, now)),
        ),
        keys=keys_of(RepositoryWaiting),
        has_keys_in_markdown=True,
        empty="nothing of this registry waits",
    )
    return table.printed(rows, output, screen)


def _name(one: RepositoryWaiting) -> str:
    return f"{one.registry}/{one.repository}"


def _head(status: QueueStatus) -> str:
    ticked = ago(status.ticked_at, status.now) or "never"
    workers = status.broker.workers
    head = f"last search for what is due: {ticked}"
    return head if workers is None else f"{head}\nworkers: {workers}"


def _queues(status: QueueStatus) -> Table[QueueWaiting]:
    messages = status.broker.messages
    columns: list[Column[QueueWaiting]] = [
        Column("queue", lambda one: one.queue, "name"),
        Column("due", lambda one: f"{one.waiting:,}", "number", rank=3),
        Column("oldest", lambda one: ago(one.oldest_at, status.now), rank=2),
    ]

    def length(one: QueueWaiting) -> int | None:
        found = None if messages is None else messages.get(one.queue)
        return None if found is None else found.tasks

    def oldest(one: QueueWaiting) -> datetime | None:
        found = None if messages is None else messages.get(one.queue)
        return _moment(found.oldest_at) if found and found.oldest_at else None

    if messages is not None:
        columns += [
            Column("messages", lambda one: str(length(one) or 0), "number", rank=1),
            Column("oldest message", lambda one: ago(oldest(one), status.now)),
        ]
    return Table(
        columns=columns,
        keys=_QUEUE,
        as_object=lambda one: row_of(
            _QUEUE,
            one,
            messages=length(one),
            oldest_message_at=rfc3339(oldest(one)),
        ),
        has_keys_in_markdown=True,
    )


def _registries(status: QueueStatus) -> Table[RegistryWaiting]:
    def pause(one: RegistryWaiting) -> float | None:
        pause_s = status.broker.pauses.get(one.registry)
        return None if pause_s is None else round(pause_s, 1)

    return Table(
        columns=(
            Column("registry", lambda one: one.registry, "name"),
            Column("state", _state, rank=8),
            *map(_count, WAIT_REASONS),
            Column("oldest due", lambda one: ago(one.oldest_due_at, status.now)),
            Column("next due", lambda one: ahead(one.next_due_at, status.now)),
        ),
        keys=_REGISTRY,
        as_object=lambda one: row_of(_REGISTRY, one, pause_seconds=pause(one)),
        has_keys_in_markdown=True,
        empty="no registry was crawled yet",
    )


def _count(reason: WaitReason) -> Column[RegistryWaiting]:
    title = reason.replace("_", " ")
    rank = len(WAIT_REASONS) - WAIT_REASONS.index(reason)
    return Column(title, lambda one: f"{one.count(reason):,}", "number", rank=rank)


def _tasks() -> Table[TaskLine]:
    def mean(one: TaskLine) -> float | None:
        return None if one.mean_s is None else round(one.mean_s, 3)

    return Table(
        columns=(
            Column("task", lambda one: one.task, "name"),
            Column("taken", lambda one: f"{one.taken:,}", "number"),
            Column("failed", lambda one: f"{one.failed:,}", "number"),
            Column("mean time", _mean_time, "number"),
        ),
        keys=_TASK,
        as_object=lambda one: row_of(_TASK, one, mean_seconds=mean(one)),
        has_keys_in_markdown=True,
    )


def _mean_time(one: TaskLine) -> str:
    return "" if one.mean_s is None else format_duration(one.mean_s)


def _state(one: RegistryWaiting) -> str:
    return f"{one.state} ({one.state_reason})" if one.state_reason else one.state


def _owner(mark: str | None) -> str:
    if mark is None:
        return ""
    pid, is_here = pid_of(mark)
    if not pid:
        return "a process that is not known"
    return f"process {pid}" if is_here else f"process {pid} elsewhere"


def _moment(seconds: float) -> datetime | None:
    """None for what nobody's clock says: anybody may have written it."""
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _pause(registry: str, seconds: float) -> str:
    left = format_duration(seconds)
    return f"{registry}: not asked for {left} more, because its answer was to wait"
