"""Channels side by side: a slow one holds nobody up, and all end in time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from support.database import a_database
from support.fake_notifier import FakeNotifier, FakeResender, counted, down
from support.outbox_world import OPS, OutboxWorld
from support.wait import wait_until
from weighbridge.domain.message.grouping import MESSAGES_A_MINUTE, Route, RouteMatch
from weighbridge.engine.deliver.all_channels import Deliverers, Resending, SendContext
from weighbridge.engine.writer.writer import Writer
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry

pytestmark = pytest.mark.slow

BOTH = (Route("ops"), Route("hook"))


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with a_database(tmp_path) as opened:
        yield opened


@pytest.fixture
async def telling(database: Database) -> AsyncIterator[SendContext]:
    writer = Writer(database)
    yield SendContext(writer, now, "a", Telemetry(), jitter=lambda: 0.0)
    writer.close()


async def until(condition: Callable[[], object]) -> None:
    await wait_until(lambda: bool(condition()), "what a test waits for")


async def test_a_slow_receiver_holds_up_only_its_own_channel(
    database: Database, telling: SendContext
) -> None:
    outbox = OutboxWorld(database, BOTH)
    slow, quick = FakeNotifier("ops"), FakeNotifier("hook")
    slow.is_open.clear()
    deliverers = Deliverers(telling, [slow, quick])

    outbox.opened("acme/a", now=now(), policy="a")
    await deliverers.wake()
    await until(lambda: slow.messages and quick.taken)
    # Somebody wakes it while the slow one is at it.
    outbox.opened("acme/b", now=now(), policy="b")
    await deliverers.wake()
    await until(lambda: len(quick.taken) == 2)
    assert (len(slow.messages), slow.taken) == (1, [])

    slow.is_open.set()
    await until(lambda: len(slow.taken) == 2)
    await deliverers.aclose()


async def test_what_failed_is_tried_again_without_another_ring(
    database: Database, telling: SendContext
) -> None:
    notifier = FakeNotifier("ops", down())
    deliverers = Deliverers(telling, [notifier])
    OutboxWorld(database).opened(now=now())

    await deliverers.wake()
    await until(lambda: notifier.taken)

    assert len(notifier.messages) == 2
    await deliverers.aclose()


async def test_what_is_due_within_moments_is_waited_for(
    database: Database, telling: SendContext
) -> None:
    outbox = OutboxWorld(database, (Route("ops", group_interval_s=1),))
    notifier = FakeNotifier()
    deliverers = Deliverers(telling, [notifier])
    outbox.opened("acme/a", now=now())
    await deliverers.wake()
    await until(lambda: notifier.taken)
    outbox.opened("acme/b", now=now())

    await deliverers.wake()
    await until(lambda: len(notifier.taken) == 2)

    await deliverers.aclose()


async def test_at_the_end_a_message_that_is_on_its_way_arrives(
    database: Database, telling: SendContext
) -> None:
    outbox = OutboxWorld(database)
    notifier = FakeNotifier()
    notifier.is_open.clear()
    deliverers = Deliverers(telling, [notifier])
    outbox.opened(now=now())
    await deliverers.wake()
    await until(lambda: notifier.messages)

    closing = asyncio.create_task(deliverers.aclose())
    await asyncio.sleep(0.05)
    notifier.is_open.set()
    await closing

    assert outbox.kept()[0].is_sent
    assert notifier.is_closed


async def test_at_the_end_nobody_waits_for_a_receiver_that_hangs(
    database: Database, telling: SendContext
) -> None:
    outbox = OutboxWorld(database)
    notifier = FakeNotifier()
    notifier.is_open.clear()
    deliverers = Deliverers(telling, [notifier])
    outbox.opened(now=now())
    await deliverers.wake()
    await until(lambda: notifier.messages)

    async with asyncio.timeout(60):
        await deliverers.aclose(grace_s=0.1)

    # And whoever starts next sends it at once.
    assert outbox.claimed(now()) is not None


async def test_two_deliverers_at_once_send_once(
    database: Database, telling: SendContext
) -> None:
    outbox = OutboxWorld(database, (Route("ops", group_by=("repository",)),))
    notifier = FakeNotifier()
    crew = [Deliverers(telling, [notifier]) for _ in range(4)]
    for number in range(MESSAGES_A_MINUTE):
        outbox.opened(f"acme/r{number}", now=now())

    await asyncio.gather(*(one.wake() for one in crew))
    await until(lambda: all(row.is_sent for row in outbox.kept()))

    told = [told.repository for message in notifier.taken for told in message.items]
    assert len(told) == len(set(told)) == MESSAGES_A_MINUTE
    await asyncio.gather(*(one.aclose() for one in crew))


async def test_an_alertmanager_is_told_all_that_is_open_and_what_has_just_ended(
    database: Database, telling: SendContext
) -> None:
    outbox = OutboxWorld(database, ())
    shop = Route("am", RouteMatch(team="shop"))
    resender = FakeResender()
    deliverers = Deliverers(telling, [], [Resending(telling, resender, [shop])])
    one = outbox.opened("acme/a", now=now(), team="shop")
    outbox.opened("acme/b", now=now(), team="pay")
    outbox.opened("acme/c", now=now(), team="shop", is_silent=True)
    old = outbox.opened("acme/d", now=now() - timedelta(hours=25), team="shop")
    outbox.opened("acme/waived", now=now(), team="shop")
    outbox.waived("acme/waived", now())

    await deliverers.wake()
    await until(lambda: resender.told)
    # Nothing new: nobody is told again before a minute is over.
    await deliverers.wake()
    two = outbox.opened("acme/e", now=now(), team="shop")
    await deliverers.wake()
    await until(lambda: len(resender.told) == 2)
    outbox.closed(one, now=now())
    await deliverers.wake()
    await until(lambda: len(resender.told) == 3)

    # In between what is new, and all of it after a minute.
    assert resender.told == [
        [(old, "opened"), (one, "opened")],
        [(two, "opened")],
        [(one, "resolved")],
    ]
    await deliverers.aclose()


async def test_an_alertmanager_that_hangs_keeps_the_other_of_its_channel_from_nothing(
    database: Database, telling: SendContext
) -> None:
    outbox, route = OutboxWorld(database, ()), Route("am")
    hung, living = FakeResender(number=1), FakeResender(number=2)
    hung.is_open.clear()
    resendings = [Resending(telling, one, [route]) for one in (hung, living)]
    deliverers = Deliverers(telling, [], resendings)
    one = outbox.opened("acme/a", now=now())
    await deliverers.wake()
    await until(lambda: hung.told and living.told)
    two = outbox.opened("acme/b", now=now())

    await deliverers.wake()
    await until(lambda: len(living.told) == 2)

    assert living.told == [[(one, "opened")], [(two, "opened")]]
    # What the other was not sent meanwhile it gets once it answers.
    assert hung.told == [[(one, "opened")]]
    hung.is_open.set()
    await until(lambda: len(hung.told) == 2)
    assert hung.told[-1] == [(two, "opened")]
    await deliverers.aclose()


async def test_an_outbox_is_not_for_alertmanagers(
    database: Database, telling: SendContext
) -> None:
    outbox = OutboxWorld(database, (OPS,))
    outbox.opened(now=now())
    resender = FakeResender("am", down())
    resending = Resending(telling, resender, [Route("am")])
    notifier = FakeNotifier()
    deliverers = Deliverers(telling, [notifier], [resending])

    await deliverers.wake()
    await until(lambda: resender.told and notifier.taken)

    assert counted(telling.telemetry, "ops") == (1, 0, 0)
    assert counted(telling.telemetry, "am") == (1, 1, 0)
    await deliverers.aclose()


async def test_an_alertmanager_is_told_all_of_it_each_minute(
    database: Database, telling: SendContext
) -> None:
    outbox, resender = OutboxWorld(database, ()), FakeResender("am", down())
    resending = Resending(telling, resender, [Route("am")], every_s=0.05, retry_s=0.05)
    one, two = (outbox.opened(f"acme/r{n}", now=now()) for n in range(2))

    async def told(times: int) -> None:
        def is_told() -> bool:
            resending.wake()
            return len(resender.told) >= times

        await until(is_told)

    await told(3)
    outbox.closed(one, now=now() - timedelta(minutes=6))
    await told(6)

    # The first time in vain; what is over is forgotten after five minutes.
    assert resender.told[:3] == [[(one, "opened"), (two, "opened")]] * 3
    assert resender.told[-1] == [(two, "opened")]
    await resending.aclose()


async def test_who_wakes_a_resending_often_has_it_read_a_few_times_only(
    database: Database, telling: SendContext
) -> None:
    reads: list[datetime] = []

    def clock() -> datetime:
        reads.append(now())
        return reads[-1]

    resending = Resending(replace(telling, clock=clock), FakeResender(), BOTH)

    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(40):
        resending.wake()
        await asyncio.sleep(0.01)
    took_s = loop.time() - began
    await resending.aclose()

    # It draws breath for a quarter of a second.
    assert 1 <= len(reads) <= took_s / 0.25 + 2
