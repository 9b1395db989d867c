"""Many that write to the same groups at once, beside those who send: none waits for
ever, and nothing is lost or told twice."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

import pytest

from support.outbox_world import OutboxWorld
from support.store_world import T0
from weighbridge.domain.message.grouping import Route
from weighbridge.store.outbox.deliveries import Delivery
from weighbridge.store.outbox.filling import put_notifications
from weighbridge.store.session import Connection, Database
from weighbridge.store.violations.violation_rows import close_violations

ROUTES = (Route("ops", group_interval_s=0), Route("hook", group_interval_s=0))
CHANNELS = ("ops", "hook")
JUDGES = 6
EACH = 10
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
CAUSE = b"\x01" * 32


class Senders:
    """Two a channel, who note all that they have told."""

    def __init__(self, database: Database) -> None:
        self.told: Counter[tuple[str, int, str]] = Counter()
        self._database = database
        self._lock = threading.Lock()

    def drain(self, channel: str, now: datetime = T0 + 9 * DAY) -> None:
        """All that is due by then."""
        world = OutboxWorld(self._database, ROUTES)
        while (sent := self._sent(world, channel, now)) is not None:
            with self._lock:
                self.told.update((channel, *one) for one in sent.notices)

    def _sent(self, world: OutboxWorld, channel: str, now: datetime) -> Delivery | None:
        """The next message, or all that the channel's pace has held back."""
        sent = world.sent(now, channel)
        if sent is None:
            world.minute_crawls(now, channel)
            sent = world.sent(now, channel)
        return sent

    @contextmanager
    def beside(self) -> Iterator[None]:
        """While the block goes on, and until nothing is left."""
        stopped = threading.Event()

        def send(channel: str) -> None:
            while not stopped.is_set():
                self.drain(channel)

        with ThreadPoolExecutor(4) as pool:
            running = [pool.submit(send, channel) for channel in CHANNELS * 2]
            try:
                yield
            finally:
                stopped.set()
            for one in running:
                one.result(60)
        for channel in CHANNELS:
            # What was held back while the message of all that is held back was on its
            # way is in the next one, its interval later.
            self.drain(channel, T0 + 10 * DAY)


def at_once(calls: Sequence[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(len(calls)) as pool:
        for one in [pool.submit(call) for call in calls]:
            one.result(60)


@pytest.mark.slow
def test_judges_and_senders_of_the_same_groups_at_once(database: Database) -> None:
    senders, opened = Senders(database), dict[int, list[int]]()
    worlds = [
        OutboxWorld(database, ROUTES, streams=number * 1_000)
        for number in range(JUDGES)
    ]

    def begin(number: int) -> None:
        chance = random.Random(number)  # noqa: S311 - a die, no secret
        opened[number] = [
            worlds[number].opened(
                f"acme/r{number}",
                cause=bytes([chance.randrange(3)]) * 32,
                policy=chance.choice(("a", "b")),
            )
            for _ in range(EACH)
        ]

    def end(number: int) -> None:
        for one in opened[number]:
            worlds[number].closed(one, now=T0 + SECOND)

    for step in (begin, end):
        with senders.beside():
            at_once([partial(step, number) for number in range(JUDGES)])

    told, kept = senders.told, worlds[0].kept()
    assert set(told.values()) == {1}
    assert all(row.is_sent or row.dropped_for for row in kept)
    assert {(r.channel, r.violation_id, r.event) for r in kept if r.is_sent} == {*told}
    # Whoever was told of a beginning was told of the end, and nobody else.
    begun = {(channel, one) for channel, one, event in told if event == "opened"}
    ended = {(channel, one) for channel, one, event in told if event == "resolved"}
    assert begun == ended


@pytest.mark.only_on("postgresql")
def test_two_of_one_cause_in_the_same_moment_see_each_other(
    database: Database,
) -> None:
    first = OutboxWorld(database)
    second = OutboxWorld(database, streams=1_000)
    one = first.opened("acme/a", cause=CAUSE, routes=())
    two = first.opened("acme/b", cause=CAUSE, routes=())

    with database.write() as connection:
        put_notifications(connection, [one], "opened", first.routes, T0)
        other = threading.Thread(target=lambda: second.put("opened", two))
        other.start()
        other.join(0.3)
        assert other.is_alive()
    other.join(20)

    assert [row.is_cause for row in first.kept()] == [False, True]


@pytest.mark.only_on("postgresql")
def test_two_that_put_more_than_once_in_a_transaction_do_not_lock_each_other_out(
    database: Database,
) -> None:
    worlds = [OutboxWorld(database, streams=number * 1_000) for number in range(2)]
    ids = [w.opened(policy=p) for w, p in zip(worlds, "ab", strict=True)]
    for world in worlds:
        world.sent(T0)
    others = [w.opened(policy=p, routes=()) for w, p in zip(worlds, "ba", strict=True)]
    met = threading.Barrier(2, timeout=20)

    def turn(number: int) -> None:
        with database.write() as connection:
            close_violations(connection, [ids[number]], "pushed", T0)
            met.wait()
            _put_twice(connection, ids[number], others[number])

    at_once([lambda: turn(0), lambda: turn(1)])

    assert len(worlds[0].kept()) == 6


def _put_twice(connection: Connection, ended: int, begun: int) -> None:
    put_notifications(connection, [ended], "resolved", (Route("ops"),), T0)
    put_notifications(connection, [begun], "opened", (Route("ops"),), T0)
