"""The job TICK: looks for what is due and asks for it; and what waits, as the database
has it, for a scrape.

Nothing is remembered between two ticks. What was asked for and lost is due still, and
two that tick at once ask for the same.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import structlog

from weighbridge.domain.report.inventory import (
    WAIT_REASONS,
    JobWaiting,
    QueueWaiting,
    RegistryWaiting,
)
from weighbridge.engine.context.parts import Site, Sites, asked_repository
from weighbridge.engine.crawl_requests.requests import RESUME_S
from weighbridge.errors import JobDropped
from weighbridge.ports.job_names import (
    BASES,
    CRAWL,
    DELIVER,
    DISCOVER,
    MEASURE,
    PRUNE,
    PUSH,
    QUEUES,
    SEED,
    TICK,
    Queue,
)
from weighbridge.store.bases.marks import mark_all_bases
from weighbridge.store.bases.readings import plan_readings
from weighbridge.store.crawls.chunks import has_chunk
from weighbridge.store.crawls.crawl_requests import end_forgotten
from weighbridge.store.crawls.due import free_left_behind, is_any_due, park_poison
from weighbridge.store.leases.jobs import Job, due_jobs, note_done
from weighbridge.store.leases.validity import have_due_what_is_ahead
from weighbridge.store.outbox.due_groups import next_due
from weighbridge.store.pushes.inbox import PushedTo, drop_waiting, inbox, pushed_to
from weighbridge.store.registries.registry_rows import adopt_names, mark_unconfigured
from weighbridge.store.reports.crawls import jobs_waiting, registries_waiting
from weighbridge.store.reports.seeding import seeding
from weighbridge.store.session import Connection, Database
from weighbridge.telemetry import Telemetry

_JOBS: Final[Mapping[Queue, Sequence[str]]] = {
    "crawl": (DISCOVER,),
    "measure": (MEASURE, PRUNE, BASES, SEED),
}
"""Jobs that the database knows to be due, by their queue."""


def show_waiting(database: Database, telemetry: Telemetry, now: datetime) -> None:
    """Let a scrape see how much waits. Raises StoreError."""
    with database.read() as connection:
        found = inbox(connection)
        registries = registries_waiting(connection, now)
        seeded = seeding(connection)
    for state, count in seeded.by_state.items():
        telemetry.base_repositories.labels(state).set(count)
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


AT_ONCE: Final = 1_000
"""Repositories that are asked for in one tick."""


def waiting_pushes(sites: Sites, database: Database, now: datetime) -> list[str]:
    """`registry/repository`, wherever a push is due. What is not configured any more is
    not looked at. Raises StoreError."""
    wanted: list[str] = []
    with database.read() as connection:
        found = pushed_to(connection, now, AT_ONCE)
    unwanted: dict[PushedTo, str] = {}
    for to in found:
        name = f"{to.registry}/{to.repository}"
        try:
            asked_repository(sites, name)
        except JobDropped as exc:
            unwanted[to] = exc.code
        else:
            wanted.append(name)
    if unwanted:
        with database.write() as connection:
            for to, why in unwanted.items():
                drop_waiting(connection, to, why, now)
    return wanted


class JobToEnqueue(NamedTuple):
    """A job that is to be enqueued, `first`: before all others."""

    job: str
    argument: str = ""
    first: bool = False


class Tick:
    """What is to be done every few seconds.

    sites: all registries that are configured
    """

    def __init__(
        self,
        sites: Sequence[Site],
        database: Database,
        clock: Callable[[], datetime],
    ) -> None:
        self._sites = {site.name: site for site in sites}
        self._database = database
        self._clock = clock
        self._log = structlog.get_logger("weighbridge.scheduler")

    def run(self) -> list[JobToEnqueue]:
        """Everything that is due. Raises StoreError."""
        now = self._clock()
        have_due_what_is_ahead(self._database, now)
        with self._database.write() as connection:
            note_done(connection, Job(TICK), now)
            known = {n: site.registered.address for n, site in self._sites.items()}
            adopt_names(connection, known)
            mark_unconfigured(connection, self._sites.keys(), now)
            mark_all_bases(connection, {n: s.bases for n, s in self._sites.items()})
            seeded = {n: s.seeded_bases for n, s in self._sites.items()}
            plan_readings(connection, seeded, is_all=True)
            free_left_behind(connection, now)
            parked = park_poison(connection, now)
            forgotten = end_forgotten(connection, now, RESUME_S)
        for name in parked:
            self._log.error(
                "a repository is not crawled any more: its crawls end the process",
                repository=name,
            )
        for number in forgotten:
            self._log.warning("a crawl that was asked for is given up", request=number)
        return [
            *(JobToEnqueue(job.job, job.argument) for job in self._due_jobs(now)),
            *self._due_pushes(now),
            *self._due_messages(now),
            *self._due_crawls(now),
        ]

    def _due_jobs(self, now: datetime) -> list[Job]:
        wanted = [Job(PRUNE), Job(BASES)]
        for name in self._sites:
            wanted += [Job(DISCOVER, name), Job(MEASURE, name)]
        wanted += [
            Job(SEED, name) for name, site in self._sites.items() if site.seeded_bases
        ]
        with self._database.read() as connection:
            return due_jobs(connection, wanted, now)

    def _due_pushes(self, now: datetime) -> list[JobToEnqueue]:
        names = waiting_pushes(self._sites.get, self._database, now)
        return [JobToEnqueue(PUSH, name, first=True) for name in names]

    def _due_messages(self, now: datetime) -> list[JobToEnqueue]:
        """What is due by time alone: the rest of a group, and what failed before."""
        with self._database.read() as connection:
            due = next_due(connection, now)
        return [JobToEnqueue(DELIVER)] if any(at <= now for at in due.values()) else []

    def _due_crawls(self, now: datetime) -> list[JobToEnqueue]:
        with self._database.read() as connection:
            due = [
                name
                for name in self._sites
                if is_any_due(connection, name, now) or has_chunk(connection, name)
            ]
        return [JobToEnqueue(CRAWL, name) for name in due]
