"""Who would have been told of what, had the recorded updates been judged."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select

from support.court import DAY, MINUTE, Court
from support.replica.pushes import RecordedLook
from weighbridge.domain.message.grouping import NotificationEvent
from weighbridge.domain.policy.policy import DEFAULT_POLICY
from weighbridge.store.models import repositories, violations
from weighbridge.store.session import Database


class Item(NamedTuple):
    """One violation, as one message tells of it."""

    event: NotificationEvent
    repository: str
    tag: str
    cause_key: bytes | None
    opened_at: datetime


@dataclass
class Replayed:
    """All messages of a replay, and what they were made of.

    updates: tags that moved
    found:   all violations, told or not
    """

    updates: int = 0
    found: list[Item] = field(default_factory=list)
    messages: list[list[Item]] = field(default_factory=list)

    @property
    def of_growth(self) -> int:
        """Messages that tell of something that has grown."""
        return sum(any(i.event == "opened" for i in told) for told in self.messages)

    def causes_of(
        self, repository: str, since: datetime, until: datetime
    ) -> set[bytes]:
        """Why its images were too heavy between these moments."""
        return {
            item.cause_key
            for item in self.found
            if item.repository == repository
            and since <= item.opened_at <= until
            and item.cause_key is not None
        }

    def repositories_with(self, key: bytes) -> set[str]:
        """Whose images had this cause."""
        return {item.repository for item in self.found if item.cause_key == key}

    def with_cause(self, key: bytes) -> list[list[Item]]:
        """The messages that tell of something new with this cause."""
        return [
            told
            for told in self.messages
            if any(i.cause_key == key and i.event == "opened" for i in told)
        ]


def replay(database: Database, updates: Iterable[RecordedLook]) -> Replayed:
    """Judge these by the default policy, and send each message when it is due."""
    looks = list(updates)
    known = sorted({look.repository for look in looks})
    court = Court(
        database,
        [DEFAULT_POLICY],
        names=known,
        is_listed=False,
        now=looks[0].at - DAY,
    )
    replayed = Replayed()
    seen: Counter[str] = Counter()
    for look in looks:
        court.deliver_until(look.at - MINUTE)
        court.crawl(look.tags, look.repository, children=look.children)
        court.deliver()
        seen[look.repository] += 1
        replayed.updates += len(look.tags)
    court.deliver_until(court.now + 2 * DAY)
    _fill(database, court, replayed)
    return replayed


def _fill(database: Database, court: Court, replayed: Replayed) -> None:
    with database.read() as connection:
        rows = connection.execute(
            select(
                violations.c.id,
                repositories.c.name,
                violations.c.tag,
                violations.c.cause_key,
                violations.c.opened_at,
            ).join(repositories, repositories.c.id == violations.c.repository_id)
        ).all()
    known = {number: rest for number, *rest in rows}
    replayed.found = [Item("opened", *rest) for rest in known.values()]
    replayed.messages = [
        [Item(event, *known[number]) for number, event in told]
        for told in court.messages
    ]
