"""What `weighbridge queue` prints."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from weighbridge.bootstrap.commands.queue_status import QueueStatus
from weighbridge.domain.report.crawl_queue import (
    CrawlBar,
    QueueWaiting,
    RegistryWaiting,
    RepositoryWaiting,
)
from weighbridge.domain.size.weighing import rfc3339
from weighbridge.domain.text.units import format_duration
from weighbridge.presentation.forms.moments import ago, ahead
from weighbridge.presentation.forms.screen import Output, Screen, aligned
from weighbridge.presentation.forms.tables import (
    code,
    csv_table,
    json_text,
    markdown_table,
)
from weighbridge.store.leases.process_mark import pid_of

Row = Mapping[str, object]

_REGISTRY: Final = (
    "registry",
    "state",
    "state_reason",
    "state_since",
    "due",
    "paused",
    "leased",
    "put_off",
    "parked",
    "oldest_due_at",
    "next_due_at",
    "pause_seconds",
)
_REPOSITORY: Final = (
    "registry",
    "repository",
    "why",
    "since",
    "until",
    "due_at",
    "owner",
    "attempts",
    "state",
    "state_reason",
    "last_crawl_at",
)
_QUEUE: Final = ("queue", "waiting", "oldest_at", "messages", "oldest_message_at")
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
_NOTHING: Final = "nothing of this registry waits"


def overview(status: QueueStatus, output: Output, screen: Screen) -> str:
    """All that waits. CSV has a row a registry."""
    queues = [_queue(one, status) for one in status.queues]
    pauses = status.broker.pauses
    registries = [_registry(one, pauses) for one in status.registries]
    tasks = _tasks(status)
    if output == "json":
        return json_text(
            {
                "ticked_at": rfc3339(status.ticked_at),
                "redis": status.broker.state,
                "workers": status.broker.workers,
                "queues": queues,
                "registries": registries,
                "tasks": tasks,
            }
        )
    if output == "csv":
        return csv_table(_REGISTRY, registries)
    if output == "markdown":
        parts = [(_QUEUE, queues), (_REGISTRY, registries), (_TASK, tasks or [])]
        return "\n\n".join(_markdown(keys, rows) for keys, rows in parts if rows)
    now = status.now
    workers = status.broker.workers
    head = f"last search for what is due: {ago(status.ticked_at, now) or 'never'}"
    parts_of_text = [
        head if workers is None else f"{head}\nworkers: {workers}",
        _queue_table(status, screen),
        _registry_table(status.registries, screen, now),
        "\n".join(_pause(*one) for one in pauses.items()),
        _task_table(status, screen),
    ]
    return "\n\n".join(filter(None, parts_of_text))


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
    found = [_repository(one) for one in rows]
    if output == "json":
        return json_text({"items": found})
    if output == "csv":
        return csv_table(_REPOSITORY, found)
    if output == "markdown":
        return _markdown(_REPOSITORY, found)
    if not rows:
        return _NOTHING
    table = [["REPOSITORY", "WHY", "SINCE", "UNTIL", "BY", "ATTEMPTS", "LAST CRAWL"]]
    table += [
        [
            f"{one.registry}/{one.repository}",
            _WORDS[one.why],
            ago(one.since, now),
            ahead(one.until, now),
            _owner(one.owner),
            str(one.attempts) if one.attempts else "",
            ago(one.last_crawl_at, now),
        ]
        for one in rows
    ]
    return "\n".join(aligned(table, screen, gap=2))


def _owner(mark: str | None) -> str:
    if mark is None:
        return ""
    pid, is_here = pid_of(mark)
    if not pid:
        return "a process that is not known"
    return f"process {pid}" if is_here else f"process {pid} elsewhere"


def _queue(one: QueueWaiting, status: QueueStatus) -> Row:
    messages = status.broker.messages
    found = None if messages is None else messages.get(one.queue)
    oldest = found.oldest_at if found else 0.0
    return {
        "queue": one.queue,
        "waiting": one.waiting,
        "oldest_at": rfc3339(one.oldest_at),
        "messages": None if found is None else found.tasks,
        "oldest_message_at": rfc3339(_moment(oldest)) if oldest else None,
    }


def _moment(seconds: float) -> datetime | None:
    """None for what nobody's clock says: anybody may have written it."""
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _pause(registry: str, seconds: float) -> str:
    left = format_duration(seconds)
    return f"{registry}: not asked for {left} more, because its answer was to wait"


def _registry(one: RegistryWaiting, pauses: Mapping[str, float]) -> Row:
    pause_s = pauses.get(one.registry)
    return {
        "registry": one.registry,
        "state": one.state,
        "state_reason": one.state_reason or None,
        "state_since": rfc3339(one.state_since),
        "due": one.due,
        "paused": one.paused,
        "leased": one.leased,
        "put_off": one.put_off,
        "parked": one.parked,
        "oldest_due_at": rfc3339(one.oldest_due_at),
        "next_due_at": rfc3339(one.next_due_at),
        "pause_seconds": None if pause_s is None else round(pause_s, 1),
    }


def _repository(one: RepositoryWaiting) -> Row:
    return {
        "registry": one.registry,
        "repository": one.repository,
        "why": one.why,
        "since": rfc3339(one.since),
        "until": rfc3339(one.until),
        "due_at": rfc3339(one.due_at),
        "owner": one.owner,
        "attempts": one.attempts,
        "state": one.state,
        "state_reason": one.state_reason or None,
        "last_crawl_at": rfc3339(one.last_crawl_at),
    }


def _tasks(status: QueueStatus) -> list[Row] | None:
    if status.broker.tasks is None:
        return None
    return [
        {
            "task": one.task,
            "taken": one.taken,
            "failed": one.failed,
            "mean_seconds": None if one.mean_s is None else round(one.mean_s, 3),
        }
        for one in status.broker.tasks
    ]


def _queue_table(status: QueueStatus, screen: Screen) -> str:
    has_broker = status.broker.messages is not None
    head = ["QUEUE", "DUE", "OLDEST"]
    table = [[*head, "MESSAGES", "OLDEST MESSAGE"] if has_broker else head]
    for one in status.queues:
        cells = [one.queue, f"{one.waiting:,}", ago(one.oldest_at, status.now)]
        if has_broker:
            row = _queue(one, status)
            found = (status.broker.messages or {}).get(one.queue)
            sent = _moment(found.oldest_at) if found and found.oldest_at else None
            cells += [str(row["messages"] or 0), ago(sent, status.now)]
        table.append(cells)
    return "\n".join(aligned(table, screen, gap=2))


def _registry_table(
    registries: Sequence[RegistryWaiting], screen: Screen, now: datetime
) -> str:
    if not registries:
        return "no registry was crawled yet"
    keys = ("due", "paused", "leased", "put_off", "parked")
    head = ["REGISTRY", "STATE", *(key.replace("_", " ").upper() for key in keys)]
    table = [[*head, "OLDEST DUE", "NEXT DUE"]]
    for one in registries:
        row = _registry(one, {})
        reason = f" ({one.state_reason})" if one.state_reason else ""
        table.append(
            [
                one.registry,
                f"{one.state}{reason}",
                *(f"{row[key]:,}" for key in keys),
                ago(one.oldest_due_at, now),
                ahead(one.next_due_at, now),
            ]
        )
    return "\n".join(aligned(table, screen, gap=2))


def _task_table(status: QueueStatus, screen: Screen) -> str:
    if not status.broker.tasks:
        return ""
    table = [["TASK", "TAKEN", "FAILED", "MEAN TIME"]]
    for one in status.broker.tasks:
        mean = "" if one.mean_s is None else format_duration(one.mean_s)
        table.append([one.task, f"{one.taken:,}", f"{one.failed:,}", mean])
    return "\n".join(aligned(table, screen, gap=2))


def _markdown(keys: Sequence[str], rows: Sequence[Row]) -> str:
    cells = [[code(_text(row[key])) for key in keys] for row in rows]
    return markdown_table(keys, cells)


def _text(value: object) -> str:
    return "" if value is None else str(value)
