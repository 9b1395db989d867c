"""What waits, as the database has it: for a scrape, and by the queue of its work."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from weighbridge.domain.report.inventory import (
    WAIT_REASONS,
    JobWaiting,
    QueueWaiting,
    RegistryWaiting,
)
from weighbridge.ports.job_names import DISCOVER, MEASURE, PRUNE, QUEUES, Queue
from weighbridge.store.outbox.due_groups import next_due
from weighbridge.store.pushes.inbox import inbox
from weighbridge.store.reports.waiting import jobs_waiting, registries_waiting
from weighbridge.store.session import Connection, Database
from weighbridge.telemetry import Telemetry

_JOBS: Final[Mapping[Queue, Sequence[str]]] = {
    "crawl": (DISCOVER,),
    "measure": (MEASURE, PRUNE),
}
"""Jobs that the database knows to be due, by their queue."""


def show_waiting(database: Database, telemetry: Telemetry, now: datetime) -> None:
    """Let a scrape see how much waits. Raises StoreError."""
    with database.read() as connection:
        found = inbox(connection)
        registries = registries_waiting(connection, now)
    oldest_at = found.oldest_at
    telemetry.pushes_waiting.set(found.waiting)
    telemetry.pushes_oldest_timestamp.set(oldest_at.timestamp() if oldest_at else 0)
    gauge = telemetry.crawl_repositories_waiting
    shown = {registry.registry for registry in registries}
    for labels in {
        tuple(s.labels.values()) for m in gauge.collect() for s in m.samples
    }:
        if labels[0] not in shown:
            gauge.remove(*labels)
    for registry in registries:
        for reason in WAIT_REASONS:
            gauge.labels(registry.registry, reason).set(registry.count(reason))


def queues_waiting(
    connection: Connection, registries: Sequence[RegistryWaiting], now: datetime
) -> list[QueueWaiting]:
    """What is due of each queue's work, and since when.

    registries: what is due of their repositories
    """
    pushes, messages = inbox(connection), next_due(connection, now)
    jobs = jobs_waiting(connection, now)
    due_messages = [at for at in messages.values() if at <= now]
    repositories = [r.oldest_due_at for r in registries if r.due and r.oldest_due_at]
    found = {
        "push": QueueWaiting("push", pushes.waiting, pushes.oldest_at),
        "crawl": _of_jobs(
            "crawl", jobs, now, sum(r.due for r in registries), repositories
        ),
        "measure": _of_jobs("measure", jobs, now, 0, []),
        "notify": QueueWaiting(
            "notify", len(due_messages), min(due_messages, default=None)
        ),
    }
    return [found[queue] for queue in QUEUES]


def _of_jobs(
    queue: Queue,
    jobs: Sequence[JobWaiting],
    now: datetime,
    others: int,
    since: Sequence[datetime],
) -> QueueWaiting:
    due = [
        job.due_at
        for job in jobs
        if job.job in _JOBS[queue] and job.due_at <= now and not job.is_leased
    ]
    return QueueWaiting(queue, len(due) + others, min([*due, *since], default=None))
