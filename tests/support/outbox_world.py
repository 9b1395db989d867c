"""Violations that are opened and closed, and what then waits to be told."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import insert, select, update

from support.store_world import T0, an_entry
from weighbridge.domain.growth.cause import Cause, LineChange
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.message.grouping import (
    MESSAGES_A_MINUTE,
    NotificationEvent,
    Route,
    pause_after,
)
from weighbridge.domain.policy.policy import LimitKey, Severity
from weighbridge.store.models import (
    channel_paces,
    notification_groups,
    notifications,
    waivers,
)
from weighbridge.store.models.types import microseconds
from weighbridge.store.outbox.deliveries import (
    Delivery,
    claim_delivery,
    note_failed,
    note_sent,
)
from weighbridge.store.outbox.due_groups import next_due_on
from weighbridge.store.outbox.filling import put_notifications
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.session import Connection, Database
from weighbridge.store.violations.violation_rows import (
    Offence,
    ViolationKey,
    close_violations,
    open_violation,
)

OPS = Route("ops", group_by=("policy",))
"""One group a policy: what a test opens is gathered."""
GB = 1_000_000_000


class Kept(NamedTuple):
    """One row of the outbox, with its group's channel."""

    channel: str
    violation_id: int
    event: str
    is_cause: bool
    is_sent: bool
    is_given_up: bool
    dropped_for: str | None


def a_cause(key: bytes | None, instruction: str = "RUN make") -> Cause:
    """What brought 600 MB."""
    change = LineChange("added", instruction, None, 600_000_000, 600_000_000)
    return Cause("own", key, (change,), 600_000_000)


@dataclass
class OutboxWorld:
    """Repositories of one registry whose violations are told by `routes`.

    streams: how many there were: each violation is of a stream of its own
    """

    database: Database
    routes: Sequence[Route] = (OPS,)
    registry: str = "hub"
    streams: int = 0
    _registry_id: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        with self.database.write() as connection:
            self._registry_id = put_registry(connection, an_entry(self.registry), T0)

    def repository(self, connection: Connection, name: str) -> int:
        return put_repositories(connection, self._registry_id, [name], T0)[name]

    def opened(
        self,
        repository: str = "acme/app",
        *,
        now: datetime = T0,
        cause: bytes | None = None,
        routes: Sequence[Route] | None = None,
        is_silent: bool = False,
        policy: str = "services",
        limit_key: LimitKey = "max_compressed",
        severity: Severity = "warning",
        team: str | None = None,
        amount: int = GB,
        instruction: str = "RUN make",
    ) -> int:
        """A violation that was opened, and put into the outbox with it."""
        with self.database.write() as connection:
            return self.open_in(
                connection,
                repository,
                now=now,
                cause=cause,
                routes=self.routes if routes is None else routes,
                is_silent=is_silent,
                key=("linux/amd64", policy, limit_key),
                offence=Offence(
                    team=team,
                    severity=severity,
                    limit_amount=GB // 2,
                    amount=amount,
                    tag="1.0",
                    digest=Digest("sha256:" + "ab" * 32),
                    baseline_compressed_bytes=GB // 4,
                    before_compressed_bytes=GB // 4,
                    cause=None if cause is None else a_cause(cause, instruction),
                ),
            )

    def open_in(
        self,
        connection: Connection,
        repository: str,
        *,
        now: datetime,
        cause: bytes | None,
        routes: Sequence[Route],
        is_silent: bool,
        key: tuple[str, str, LimitKey],
        offence: Offence,
    ) -> int:
        self.streams += 1
        opened = open_violation(
            connection,
            self.repository(connection, repository),
            ViolationKey(f"s{self.streams}", *key),
            offence,
            now,
            is_silent=is_silent,
        )
        put_notifications(connection, [opened], "opened", routes, now)
        return opened

    def put(
        self, event: NotificationEvent, *violation_ids: int, now: datetime = T0
    ) -> int:
        with self.database.write() as connection:
            return put_notifications(connection, violation_ids, event, self.routes, now)

    def closed(
        self,
        *violation_ids: int,
        now: datetime,
        routes: Sequence[Route] | None = None,
    ) -> int:
        with self.database.write() as connection:
            close_violations(connection, violation_ids, "pushed", now)
            return put_notifications(
                connection,
                violation_ids,
                "resolved",
                self.routes if routes is None else routes,
                now,
            )

    def waived(self, repository: str, now: datetime) -> None:
        with self.database.write() as connection:
            connection.execute(
                insert(waivers).values(
                    registry="*",
                    repository=repository,
                    tag="*",
                    reason="known",
                    author="ann",
                    created_at=now,
                    expires_at=now + timedelta(days=30),
                )
            )

    def claimed(
        self, now: datetime, channel: str = "ops", owner: str = "a/1"
    ) -> Delivery | None:
        with self.database.write() as connection:
            return claim_delivery(connection, channel, now=now, lease_s=90, owner=owner)

    def sent(self, now: datetime, channel: str = "ops") -> Delivery | None:
        """The next message, if one is due, and that it arrived."""
        delivery = self.claimed(now, channel)
        if delivery is not None:
            with self.database.write() as connection:
                note_sent(connection, delivery, now)
        return delivery

    def sent_until(
        self, end: datetime, channel: str = "ops", *, now: datetime = T0
    ) -> list[int]:
        """Every message from now on, when it is due; how many it told of."""
        sizes = []
        while (at := self.next_due(now, channel)) is not None and at <= end:
            now = max(now, at)
            sent = self.sent(now, channel)
            sizes += [] if sent is None else [len(sent.notices)]
        return sizes

    def minute_crawls(self, now: datetime, channel: str = "ops") -> None:
        """The channel's ten new messages were begun a minute ago: what was due since
        then is gathered."""
        begun = [microseconds(now - timedelta(seconds=61))] * MESSAGES_A_MINUTE
        with self.database.write() as connection:
            connection.execute(
                update(channel_paces)
                .where(channel_paces.c.channel == channel)
                .values(begun=json.dumps(begun))
            )

    def next_due(self, now: datetime, channel: str = "ops") -> datetime | None:
        with self.database.read() as connection:
            return next_due_on(connection, channel, now)

    def failed(
        self, now: datetime, channel: str = "ops", *, code: str = "refused"
    ) -> bool:
        """The next message did not arrive; whether it is given up."""
        delivery = self.claimed(now, channel)
        assert delivery is not None
        with self.database.write() as connection:
            again = now + pause_after(delivery.tries, 1.0)
            return note_failed(connection, delivery, now, code=code, retry_at=again)

    def kept(self) -> list[Kept]:
        with self.database.read() as connection:
            rows = connection.execute(
                select(
                    notification_groups.c.channel,
                    notification_groups.c.is_cause,
                    notifications,
                )
                .join(
                    notifications,
                    notifications.c.group_id == notification_groups.c.id,
                )
                .order_by(notifications.c.id)
            ).all()
        return [
            Kept(
                row.channel,
                row.violation_id,
                row.event,
                row.is_cause,
                row.sent_at is not None,
                row.given_up_at is not None,
                row.dropped_for,
            )
            for row in rows
        ]
