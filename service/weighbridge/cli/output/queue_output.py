"""What `weighbridge queue` prints."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from weighbridge.bootstrap.commands.queue_status import QueueStatus, TaskLine
from weighbridge.domain.report.inventory import (
    WAIT_REASONS,
    CrawlBar,
    QueueWaiting,
    RegistryWaiting,
    RepositoryWaiting,
    WaitReason,
)
from weighbridge.domain.size.weighing import rfc3339
from weighbridge.domain.text.units import format_duration
from weighbridge.presentation.forms.csv_json_markdown import json_text
from weighbridge.presentation.forms.phrases import ago, ahead
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.rows.row_fields import keys_of, row_of
from weighbridge.store.leases.process_mark import pid_of

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
