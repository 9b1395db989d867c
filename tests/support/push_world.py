"""A fake registry, an inbox, and looks at what is in it, when tests choose."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from sqlalchemy import select, update

from support.contexts import a_context
from support.crawling import ENTRY, Yard
from support.fake_registry import FakeRegistry
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.webhook.webhook_source import PushSeen
from weighbridge.engine.context.crawl_context import (
    WORD_WITHIN_S,
    CrawlContext,
    JudgedTag,
    PushCallbacks,
)
from weighbridge.engine.context.parts import Scope
from weighbridge.engine.push.push_job import Ended, PushCheck
from weighbridge.engine.tasks.lease_renewal import Heartbeat
from weighbridge.engine.writer.writer import Writer
from weighbridge.ports.protocols import Registry
from weighbridge.store.leases.jobs import Job
from weighbridge.store.models import pushes
from weighbridge.store.pushes.inbox import ReceivedPush, keep_pushes
from weighbridge.store.session import Database

_EVENT = count(1)


def a_push(
    tag: str | None,
    *,
    repository: str = "acme/app",
    digest: Digest | None = None,
    is_delete: bool = False,
    pushed_at: datetime | None = None,
) -> PushSeen:
    """An event that was never told before."""
    event = f"event {next(_EVENT)}"
    return PushSeen(repository, tag, digest, is_delete, pushed_at, event)


def receive(
    database: Database, now: datetime, *events: PushSeen, registry: str = ENTRY.name
) -> None:
    """Let them wait in the inbox, due by the clock of the test."""
    received = [ReceivedPush(registry, "distribution", event) for event in events]
    with database.write() as connection:
        keep_pushes(connection, received, now)
        connection.execute(
            update(pushes).where(pushes.c.received_at == now).values(due_at=now)
        )


def outcomes(database: Database) -> list[str]:
    """Of all pushes, in the order in which they came; those that wait are `...`."""
    with database.read() as connection:
        rows = connection.execute(
            select(pushes.c.outcome, pushes.c.done_at).order_by(pushes.c.id)
        ).all()
    return [row.outcome if row.done_at else "..." for row in rows]


@dataclass(slots=True)
class Pusher:
    """Tells of pushes, and looks at them as a process would.

    writer:    what its looks and crawls keep things by
    measuring: see `PushCallbacks`
    word_within_s: see `CrawlContext`
    """

    yard: Yard
    registry: Registry = field(default_factory=FakeRegistry)
    writer: Callable[[Database], Writer] = Writer
    measuring: Job | None = None
    word_within_s: float = WORD_WITHIN_S
    judged: list[JudgedTag] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)

    def tell(self, *events: PushSeen) -> None:
        """As a webhook does, at this moment."""
        receive(self.yard.database, self.yard.now, *events)

    @property
    def outcomes(self) -> list[str]:
        return outcomes(self.yard.database)

    @property
    def desk(self) -> PushCallbacks:
        return PushCallbacks("fake", self._note, self.whole.append, self.measuring)

    async def handle(
        self,
        repository: str = "acme/app",
        *,
        scope: Scope | None = None,
        owner: str = "me",
    ) -> Ended:
        """One look; the clock then stands a second later."""
        async with self.context(scope) as context:
            look = PushCheck(
                context,
                self.desk,
                Heartbeat(context.writer, context.clock),
                self.yard.entry,
                repository,
                owner=owner,
            )
            # In a context of its own, as every job has.
            ended = await asyncio.create_task(look.run())
        self.yard.now += timedelta(seconds=1)
        return ended

    @asynccontextmanager
    async def context(self, scope: Scope | None = None) -> AsyncIterator[CrawlContext]:
        writer = self.writer(self.yard.database)
        try:
            yield a_context(
                self.registry,
                writer,
                lambda: self.yard.now,
                lambda: self.yard.judging,
                scope=scope,
                callbacks=self.desk,
                word_within_s=self.word_within_s,
            )
        finally:
            writer.close()

    def _note(self, judged: Sequence[JudgedTag]) -> None:
        self.judged += judged
