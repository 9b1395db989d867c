"""Who would have been told of what, had the recorded updates been judged."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select

from support.court import DAY, MINUTE, Court
from support.replica.pushes import recorded_looks
from weighbridge.domain.message import NotificationEvent
from weighbridge.domain.policy import DEFAULT_POLICY
from weighbridge.store.models import repositories
from weighbridge.store.push_tables import violations
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
    opened:  violations that were found
    """

    updates: int = 0
    opened: int = 0
    messages: list[list[Item]] = field(default_factory=list)

    @property
    def of_growth(self) -> int:
        """Messages that tell of something that has grown."""
        return sum(any(i.event == "opened" for i in told) for told in self.messages)

    def causes_of(self, repository: str, tag: str, since: datetime) -> set[bytes]:
        """Why a tag was told of, from then on."""
        return {
            item.cause_key
            for told in self.messages
            for item in told
            if (item.repository, item.tag) == (repository, tag)
            and item.opened_at >= since
            and item.cause_key is not None
        }

    def with_cause(self, key: bytes) -> list[list[Item]]:
        """The messages that tell of something new with this cause."""
        return [
            told
            for told in self.messages
            if any(i.cause_key == key and i.event == "opened" for i in told)
        ]


def replay(
    database: Database,
    names: Collection[str] | None = None,
    *,
    until: datetime | None = None,
) -> Replayed:
    """Judge the updates of these repositories, or of all, by the default policy, and
    send each message when it is due."""
    looks = list(recorded_looks(None if names is None else frozenset(names)))
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
        if until is not None and look.at > until:
            break
        court.deliver_until(look.at - MINUTE)
        court.look(look.tags, look.repository, children=look.children)
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
    replayed.opened = len(rows)
    replayed.messages = [
        [Item(event, *known[number]) for number, event in told]
        for told in court.messages
    ]
