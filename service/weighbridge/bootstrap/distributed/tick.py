"""Looks for what is due and asks for it: the part of a scheduler that knows why.

Nothing is remembered between two ticks. What was asked for and lost is due still,
and two that tick at once ask for the same.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from weighbridge.bootstrap.crawling import scope_of
from weighbridge.bootstrap.targets import Target
from weighbridge.bootstrap.waiting_pushes import ring_for_pushes
from weighbridge.config import RegistrySettings, Settings
from weighbridge.jobs.names import CRAWL, DELIVER, DISCOVER, MEASURE, PRUNE, TICK
from weighbridge.ports import JobQueue
from weighbridge.store.adoption import adopt_names
from weighbridge.store.ahead import have_due_what_is_ahead
from weighbridge.store.due import (
    Due,
    due_repositories,
    free_left_behind,
    park_poison,
    put_off,
)
from weighbridge.store.jobs import Job, due_jobs, note_done
from weighbridge.store.outbox_due import next_due
from weighbridge.store.registries import mark_unconfigured
from weighbridge.store.session import Database

AT_ONCE: Final = 500
"""Repositories of one registry that are asked for in one tick: enough to keep a
hundred workers busy until the next, and few enough to be looked up at each."""


class Tick:
    """What a scheduler does every few seconds."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        jobs: JobQueue,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._database = database
        self._jobs = jobs
        self._clock = clock
        self._log = structlog.get_logger("weighbridge.scheduler")

    def run(self) -> None:
        """Ask for everything that is due. Raises StoreError."""
        now = self._clock()
        have_due_what_is_ahead(self._database, now)
        with self._database.write() as connection:
            note_done(connection, Job(TICK), now)
            adopt_names(connection, self._settings.urls)
            mark_unconfigured(connection, self._settings.names, now)
            free_left_behind(connection, now)
            parked = park_poison(connection, now)
        for name in parked:
            self._log.error(
                "a repository is not crawled any more: its crawls end the process",
                repository=name,
            )
        for job in self._due_jobs(now):
            self._jobs.put(job.job, job.argument)
        ring_for_pushes(self._settings, self._database, self._jobs, now)
        self._ask_for_messages(now)
        for registry in self._settings.registries:
            self._ask_for(registry, now)

    def _ask_for_messages(self, now: datetime) -> None:
        """What is due by time alone: the rest of a group, and what failed before."""
        with self._database.read() as connection:
            due = next_due(connection, now)
        if any(at <= now for at in due.values()):
            self._jobs.put(DELIVER, "")

    def _due_jobs(self, now: datetime) -> list[Job]:
        wanted = [Job(PRUNE)]
        for registry in self._settings.registries:
            wanted += [Job(DISCOVER, registry.name), Job(MEASURE, registry.name)]
        with self._database.read() as connection:
            return due_jobs(connection, wanted, now)

    def _ask_for(self, registry: RegistrySettings, now: datetime) -> None:
        with self._database.read() as connection:
            due = due_repositories(connection, registry.name, now, AT_ONCE)
        scope = scope_of(Target(registry.name, registry.url, registry))
        unwanted: list[Due] = []
        for item in due:
            if scope.looks_at(item.repository):
                self._jobs.put(CRAWL, f"{registry.name}/{item.repository}")
            else:
                unwanted.append(item)
        if unwanted:
            # They would stand before all others at each tick.
            every = timedelta(seconds=self._settings.interval_of(registry))
            with self._database.write() as connection:
                put_off(connection, [d.repository_id for d in unwanted], now + every)
