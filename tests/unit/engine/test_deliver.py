"""Messages to channels: what they say, when they are tried again, what is counted."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from support.database import a_database
from support.fake_notifier import FakeNotifier, counted, down, refused
from support.outbox_world import GB, OutboxWorld
from support.store_world import T0
from support.wait import wait_until
from weighbridge.engine.deliver.all_channels import (
    LONGEST_HOLD_S,
    MOST,
    SendContext,
    deliver_next,
)
from weighbridge.engine.writer.writer import Writer
from weighbridge.errors import PartlyTaken
from weighbridge.store.outbox.due_groups import channel_reports
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


class Moving:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with a_database(tmp_path) as opened:
        yield opened


@pytest.fixture
def clock() -> Moving:
    return Moving()


@pytest.fixture
async def telling(database: Database, clock: Moving) -> AsyncIterator[SendContext]:
    writer = Writer(database)
    yield SendContext(
        writer=writer,
        clock=clock,
        owner="a",
        telemetry=Telemetry(),
        external_url="https://wb.example/",
        jitter=lambda: 1.0,
    )
    writer.close()


async def test_a_message_says_what_was_pushed_and_why_it_is_heavy(
    database: Database, telling: SendContext
) -> None:
    OutboxWorld(database).opened(
        "acme/app", team="shop", cause=b"k" * 32, instruction="RUN make big"
    )
    notifier = FakeNotifier()

    assert await deliver_next(telling, notifier) is not None

    (message,) = notifier.messages
    (told,) = message.items
    assert (message.group, message.more) == ("policy services", 0)
    assert (told.registry, told.repository, told.tag) == ("hub", "acme/app", "1.0")
    assert (told.amount, told.limit_amount) == (GB, GB // 2)
    assert (told.before_compressed_bytes, told.team) == (GB // 4, "shop")
    assert told.cause is not None
    assert told.cause.changes[0].instruction == "RUN make big"
    assert told.url == (
        "https://wb.example/image?ref=hub%2Facme%2Fapp%3A1.0&platform=linux%2Famd64"
    )


async def test_the_heaviest_come_first_and_the_rest_is_counted(
    database: Database, telling: SendContext
) -> None:
    outbox = OutboxWorld(database)
    for number in range(MOST + 5):
        outbox.opened(f"acme/r{number}", amount=GB + number)
    notifier = FakeNotifier()

    await deliver_next(telling, notifier)

    (message,) = notifier.messages
    amounts = [told.amount for told in message.items]
    assert amounts == [GB + MOST + 4 - n for n in range(MOST)]
    assert message.more == 5


async def test_nothing_is_due(telling: SendContext) -> None:
    assert await deliver_next(telling, FakeNotifier()) is None


async def test_f38_a_receiver_that_is_down_is_told_later_under_the_same_key(
    database: Database, telling: SendContext, clock: Moving
) -> None:
    OutboxWorld(database).opened()
    notifier = FakeNotifier("ops", *[down() for _ in range(8)])
    tried_at = []

    while not notifier.taken:
        if await deliver_next(telling, notifier) is not None:
            tried_at.append((clock.now - T0).total_seconds())
        clock.now += SECOND

    # Twice as long each time, and no faster.
    assert tried_at == [0, 1, 3, 7, 15, 31, 63, 127, 255]
    assert len({message.key for message in notifier.messages}) == 1


async def test_what_the_receiver_asks_for_wins(
    database: Database, telling: SendContext, clock: Moving
) -> None:
    OutboxWorld(database).opened()
    notifier = FakeNotifier("ops", down(retry_after=120))

    done = await deliver_next(telling, notifier)

    assert done is not None
    assert done.hold_s == 120
    clock.now = T0 + 119 * SECOND
    assert await deliver_next(telling, notifier) is None
    clock.now = T0 + 120 * SECOND
    assert await deliver_next(telling, notifier) is not None


async def test_one_that_does_not_get_through_holds_others_up_for_a_minute_at_most(
    database: Database, telling: SendContext, clock: Moving
) -> None:
    outbox = OutboxWorld(database)
    outbox.opened()
    notifier = FakeNotifier("ops", *[down() for _ in range(20)])
    held = []

    while (due := outbox.next_due(clock.now)) is not None:
        clock.now = max(clock.now, due)
        done = await deliver_next(telling, notifier)
        assert done is not None
        held.append(done.hold_s)
        if len(held) == 12:
            break

    assert held == [1, 2, 4, 8, 16, 32, *[LONGEST_HOLD_S] * 6]


async def test_what_is_refused_holds_up_no_other_message(
    database: Database, telling: SendContext, clock: Moving
) -> None:
    outbox = OutboxWorld(database)
    outbox.opened("acme/a", policy="a")
    outbox.opened("acme/b", policy="b")
    notifier = FakeNotifier("ops", refused())

    first = await deliver_next(telling, notifier)
    second = await deliver_next(telling, notifier)

    assert first is not None
    assert (first.is_sent, first.hold_s) == (False, 0.0)
    assert second is not None
    assert second.is_sent
    # Somebody may put it right within the day.
    clock.now = T0 + 15 * MINUTE
    assert await deliver_next(telling, notifier) is not None
    assert [len(notifier.messages), len(notifier.taken)] == [3, 2]


async def test_what_is_refused_is_not_tried_again_soon_and_seen_at_once_alert_out_002(
    database: Database, telling: SendContext, clock: Moving
) -> None:
    # A 4xx is no reason to knock again after a second. It is one to do so within the
    # day: the channel may be put right by then, and nothing is lost.
    outbox = OutboxWorld(database)
    outbox.opened()
    notifier = FakeNotifier("ops", *[refused() for _ in range(1_000)])
    tried_at, states = [], set()

    while (due := outbox.next_due(clock.now)) is not None:
        clock.now = max(clock.now, due)
        await deliver_next(telling, notifier)
        tried_at.append(clock.now - T0)
        with database.read() as connection:
            (report,) = channel_reports(connection)
        states.add((report.state, report.error_code, report.given_up))

    assert tried_at == [number * 15 * MINUTE for number in range(97)]
    code = refused().code
    assert states == {("failing", code, 0), ("ok", code, 1)}


async def test_given_up_after_a_day_and_counted(
    database: Database, telling: SendContext, clock: Moving
) -> None:
    outbox = OutboxWorld(database)
    outbox.opened()
    notifier = FakeNotifier("ops", *[down() for _ in range(1_000)])

    while (due := outbox.next_due(clock.now)) is not None:
        clock.now = max(clock.now, due)
        await deliver_next(telling, notifier)

    assert clock.now == T0 + DAY
    tried, failed, given_up = counted(telling.telemetry, "ops")
    assert given_up == 1
    assert failed == tried > 0
    assert outbox.kept()[0].is_given_up


async def test_what_some_of_its_readers_have_does_not_come_to_them_again(
    database: Database, telling: SendContext, clock: Moving
) -> None:
    outbox = OutboxWorld(database)
    outbox.opened()
    one_refused = PartlyTaken("1 of the recipients was refused", code="refused")
    notifier = FakeNotifier("ops", one_refused)

    done = await deliver_next(telling, notifier)

    assert done is not None
    assert done.is_sent
    assert outbox.next_due(clock.now) is None
    assert counted(telling.telemetry, "ops") == (1, 1, 0)


async def test_a_fault_of_our_own_is_a_failure_like_any_other(
    database: Database, telling: SendContext
) -> None:
    OutboxWorld(database).opened()
    notifier = FakeNotifier("ops", KeyError("renderer"))

    done = await deliver_next(telling, notifier)

    assert done is not None
    assert not done.is_sent
    assert await deliver_next(telling, notifier) is None


async def test_cut_off_it_is_given_back(
    database: Database, telling: SendContext
) -> None:
    OutboxWorld(database).opened()
    notifier = FakeNotifier()
    notifier.is_open.clear()
    task = asyncio.create_task(deliver_next(telling, notifier))
    await wait_until(lambda: bool(notifier.messages), "it is on its way")

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    notifier.is_open.set()

    assert await deliver_next(telling, notifier) is not None
    assert len({message.key for message in notifier.messages}) == 1
