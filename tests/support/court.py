"""Repositories whose pushes are judged as a crawl would, at moments tests choose."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace
from sqlalchemy import Row, func, select

from support.answering import keep_sizes
from support.images import a_layer, an_image
from support.of_one import close_crawl, open_crawl, refresh_if_stale
from support.policies import a_policy
from support.store_world import T0, a_result, an_entry
from weighbridge.domain.growth.cause import Cause
from weighbridge.domain.image.document import Document, Image, Layer, Line
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.message.grouping import (
    NotificationEvent,
    Route,
    ViolationNotice,
)
from weighbridge.domain.policy.policy import (
    DEFAULT_POLICY,
    NO_POLICIES,
    LimitKey,
    Policy,
    PolicySet,
)
from weighbridge.domain.size.confidence import Uncompressed
from weighbridge.engine.judge.judge import (
    FIRST,
    end_first_crawls,
    find_changed,
    judge_many,
    judge_standing,
    refresh_and_judge,
)
from weighbridge.engine.judge.judged_batch import Judging, sweep_page
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.leases.claiming import claim
from weighbridge.store.models import (
    notification_groups,
    notifications,
    repositories,
    unjudged,
    violations,
)
from weighbridge.store.outbox.deliveries import claim_delivery, note_sent
from weighbridge.store.outbox.due_groups import next_due_on
from weighbridge.store.outbox.filling import put_notifications
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.reports.repositories import find_repository
from weighbridge.store.reports.tags import tag_page
from weighbridge.store.reports.violations import read_notices
from weighbridge.store.session import Connection, Database
from weighbridge.store.tags.applying import Move, apply_deleted, apply_moves
from weighbridge.store.violations.violation_rows import read_cause

MB: Final = 1_000_000
MINUTE: Final = timedelta(minutes=1)
DAY: Final = timedelta(days=1)
LIMIT: Final = a_policy("services", max_compressed=500 * MB)
HOOK: Final = Route("hook")


def weighing(megabytes: float, name: object = None, **changes: object) -> Image:
    """An image of one layer, another one for each name and weight."""
    layer = a_layer((name, megabytes), int(megabytes * MB))
    return an_image([layer], **changes)  # type: ignore[arg-type]  # the builder's own


def built(*steps: tuple[str, Layer], platform: Platform = DEFAULT) -> Image:
    """An image with a line for each layer."""
    lines = [Line(text, None, number) for number, (text, _) in enumerate(steps)]
    return an_image([layer for _, layer in steps], lines=lines, platform=platform)


@dataclass
class Court:
    """Some repositories of one registry; each look takes a minute.

    is_listed: the registry was listed to its end before: nothing is silent
    told:      what was to be told, as (event, violation)
    messages:  what each message told, as (violation, event)
    """

    database: Database
    policies: Sequence[Policy] = (LIMIT,)
    platforms: tuple[Platform, ...] = (DEFAULT,)
    names: Sequence[str] = ("acme/app",)
    is_listed: bool = True
    is_by_hand: bool = False
    now: datetime = T0
    routes: Sequence[Route] = (HOOK,)
    told: list[tuple[NotificationEvent, int]] = field(default_factory=list)
    messages: list[Sequence[tuple[int, NotificationEvent]]] = field(
        default_factory=list
    )
    ids: dict[str, int] = field(default_factory=dict)
    registry_id: int = 0

    def __post_init__(self) -> None:
        with self.database.write() as connection:
            entry = an_entry()
            self.registry_id = put_registry(connection, entry, self.now)
            self.ids = put_repositories(
                connection, self.registry_id, self.names, self.now
            )
            if self.is_listed:
                connection.execute(repositories.update().values(is_silent=False))

    @property
    def scope_id(self) -> int:
        """Of all its repositories."""
        with self.database.read() as connection:
            found: int = connection.execute(
                select(repositories.c.scope_id).limit(1)
            ).scalar_one()
        return found

    @property
    def judging(self) -> Judging:
        policies = PolicySet(self.policies) if self.policies else NO_POLICIES
        return Judging(policies, self.platforms, self._tell, self.is_by_hand)

    def crawl(
        self,
        moves: Mapping[str, Document] | None = None,
        repository: str = "",
        *,
        deleted: Iterable[str] = (),
        children: Iterable[Document] = (),
        is_complete: bool = True,
    ) -> None:
        """One whole crawl, as `RepositoryCrawl` makes it."""
        self.now += MINUTE
        repository_id = self.ids[repository or self.names[0]]
        found = moves or {}
        with self.database.write() as connection:
            taken = claim(connection, repository_id, now=self.now, lease_s=60)
            assert taken is not None
            opened = open_crawl(connection, taken, self.now).id
            keep_documents(connection, [*children, *found.values()], {})
            pointed = [Move(name, d.digest, None) for name, d in found.items()]
            apply_moves(connection, taken, pointed, self.now)
            apply_deleted(connection, taken, list(deleted), self.now)
            if taken.crawl_number > 0:
                refresh_and_judge(connection, [repository_id], self.now, self.judging)
            else:
                refresh_if_stale(connection, repository_id, self.now, self.platforms)
                if is_complete:
                    end_first_crawls(
                        connection, [repository_id], self.now, self.judging
                    )
            result = a_result(complete=is_complete)
            close_crawl(connection, taken, opened, result, self.now, self.now)

    def push(self, moves: Mapping[str, Document], repository: str = "") -> None:
        """One look at what somebody said was pushed."""
        self.now += MINUTE
        repository_id = self.ids[repository or self.names[0]]
        with self.database.write() as connection:
            taken = claim(connection, repository_id, now=self.now, lease_s=0)
            assert taken is not None
            keep_documents(connection, list(moves.values()), {})
            pointed = [Move(name, d.digest, self.now) for name, d in moves.items()]
            taken = replace(taken, is_push=True)
            apply_moves(connection, taken, pointed, self.now)
            refresh_and_judge(connection, [repository_id], self.now, self.judging)

    def measure(self, layer: Layer, uncompressed_bytes: int) -> None:
        """Find out what a layer holds, and give images their totals."""
        number = uncompressed_bytes
        size = Uncompressed("exact", number, number, number, "")
        with self.database.write() as connection:
            keep_sizes(connection, self.scope_id, {layer.digest: size}, self.now)

    def judge(self, repository: str = "") -> None:
        """All that waits to be judged."""
        repository_id = self.ids[repository or self.names[0]]
        after: int | None = FIRST
        while after is not None:
            with self.database.write() as connection:
                left = judge_many(
                    connection, [repository_id], self.now, self.judging, after=after
                )
                after = left.get(repository_id)

    def judge_what_stands(self) -> int:
        """As the end of a crawl does; returns how many repositories were judged."""
        self.now += MINUTE
        judging = self.judging
        with self.database.read() as connection:
            changed = find_changed(connection, self.registry_id, 0, judging, self.now)
        for repository_id in changed.to_judge:
            with self.database.write() as connection:
                judge_standing(connection, repository_id, self.now, judging)
        self.sweep(list(changed.to_sweep))
        return len(changed.to_judge)

    def sweep(self, repository_ids: Sequence[int]) -> None:
        """Mark all tags of these repositories, one after the other."""
        for repository_id in repository_ids:
            after: str | None = ""
            waits = False
            while after is not None:
                with self.database.write() as connection:
                    after, waits = sweep_page(
                        connection,
                        repository_id,
                        after,
                        self.now,
                        self.judging,
                        waits=waits,
                    )

    def over(self, repository: str = "") -> dict[str, tuple[LimitKey, ...]]:
        """The tags that are marked as over a limit, and which; the count that the
        repository's row has says the same."""
        name = repository or self.names[0]
        with self.database.read() as connection:
            page = tag_page(connection, "hub", name, limit=1000)
            report = find_repository(connection, "hub", name)
        found = {tag.name: tag.over for tag in page.items if tag.over}
        assert report is not None
        assert report.over_tags == len(found)
        return found

    def deliver(self) -> None:
        """Send every message that is due."""
        with self.database.write() as connection:
            while True:
                delivery = claim_delivery(
                    connection, HOOK.channel, now=self.now, lease_s=60, owner="court"
                )
                if delivery is None:
                    return
                note_sent(connection, delivery, self.now)
                self.messages.append(delivery.notices)

    def deliver_until(self, now: datetime) -> None:
        """Send every message that is due by then, each when it is due."""
        while True:
            with self.database.read() as connection:
                due = next_due_on(connection, HOOK.channel, self.now)
            if due is None or due > now:
                break
            self.now = max(self.now, due)
            self.deliver()
        self.now = max(self.now, now)

    def unjudged(self) -> int:
        """Tags that still wait to be judged."""
        with self.database.read() as connection:
            statement = select(func.count()).select_from(unjudged)
            count: int = connection.execute(statement).scalar_one()
        return count

    def rows(self, repository: str = "") -> list[Row[*tuple[object, ...]]]:
        """Its violations, the oldest first."""
        repository_id = self.ids[repository or self.names[0]]
        with self.database.read() as connection:
            return list(
                connection.execute(
                    select(violations)
                    .where(violations.c.repository_id == repository_id)
                    .order_by(violations.c.id)
                )
            )

    def read_notices(self, event: NotificationEvent) -> list[ViolationNotice]:
        """What is said of all that was to be told."""
        wanted = [(number, each) for each, number in self.told if each == event]
        with self.database.read() as connection:
            return read_notices(connection, wanted, 100)

    def cause(self, repository: str = "") -> Cause:
        """Of its last violation."""
        row = self.rows(repository)[-1]._mapping
        found = read_cause(row["cause"], row["cause_key"])
        assert found is not None
        return found

    @property
    def events(self) -> list[NotificationEvent]:
        """What was told, in the order in which it was."""
        return [event for event, _ in self.told]

    @property
    def channels_told(self) -> list[str]:
        """The channel of each notification, in the order in which they were written."""
        with self.database.read() as connection:
            return list(
                connection.execute(
                    select(notification_groups.c.channel)
                    .join(
                        notifications,
                        notifications.c.group_id == notification_groups.c.id,
                    )
                    .order_by(notifications.c.id)
                ).scalars()
            )

    def _tell(
        self,
        connection: Connection,
        violation_ids: Sequence[int],
        event: NotificationEvent,
        now: datetime,
    ) -> None:
        self.told += [(event, number) for number in violation_ids]
        put_notifications(connection, violation_ids, event, self.routes, now)


def grown_by(court: Court, *sizes: float) -> None:
    """Three pushes or more, one after the other, to the tag `latest`."""
    for number, size in enumerate(sizes):
        court.crawl({"latest": weighing(size, number)})


DEFAULTS: Final = (DEFAULT_POLICY,)
