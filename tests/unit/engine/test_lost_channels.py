"""Channels that refuse everything, or that nobody knows any more."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from support.database import a_database
from support.fake_notifier import FakeNotifier, refused
from support.outbox_world import OutboxWorld
from support.store_world import T0
from support.wait import wait_until
from weighbridge.domain.message.grouping import Route
from weighbridge.engine.deliver.all_channels import (
    REFUSED_HOLD_S,
    REFUSED_IN_A_ROW,
    Deliverers,
    SendContext,
)
from weighbridge.engine.writer.writer import Writer
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry


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


async def test_what_waits_for_a_channel_that_is_gone_is_dropped_after_an_hour(
    database: Database, telling: SendContext
) -> None:
    outbox = OutboxWorld(database)
    # Whoever comes back after a long time, and has lost a channel, is given it too.
    outbox.opened("acme/a", now=T0 - timedelta(days=3))
    clock = iter(T0 + timedelta(minutes=m) for m in (0, 59, 60))
    moving = replace(telling, clock=lambda: next(clock))
    deliverers = Deliverers(moving, [FakeNotifier("hook")])
    dropped = []

    for _ in range(3):
        await deliverers.wake()
        dropped.append(outbox.kept()[0].dropped_for)

    assert dropped == [None, None, "no_channel"]
    await deliverers.aclose()


async def test_what_waits_is_sent_where_a_channel_is_configured_again_within_an_hour(
    database: Database, telling: SendContext
) -> None:
    outbox, notifier = OutboxWorld(database), FakeNotifier("ops")
    outbox.opened("acme/a", now=now() - timedelta(days=3))
    renamed = Deliverers(telling, [FakeNotifier("operations")])
    await renamed.wake()
    await renamed.aclose()

    again = Deliverers(telling, [notifier])
    await again.wake()
    await wait_until(lambda: bool(notifier.taken), "what waited is sent")

    await again.aclose()


async def test_a_receiver_that_refuses_all_that_waits_is_not_flooded(
    database: Database, telling: SendContext
) -> None:
    outbox = OutboxWorld(database, (Route("ops", group_by=("repository",)),))
    for number in range(50):
        outbox.opened(f"acme/r{number}", now=now())
    notifier = FakeNotifier("ops", *[refused() for _ in range(50)])
    deliverers = Deliverers(telling, [notifier])
    began_at = asyncio.get_running_loop().time()

    await deliverers.wake()
    await wait_until(
        lambda: len(notifier.messages) > REFUSED_IN_A_ROW, "more than three are tried"
    )

    # One that is refused keeps no other one waiting, the third one does.
    took_s = asyncio.get_running_loop().time() - began_at
    assert took_s >= REFUSED_HOLD_S
    assert len(notifier.messages) <= REFUSED_IN_A_ROW + took_s / REFUSED_HOLD_S
    await deliverers.aclose()
