"""Two real Alertmanagers in one channel, of which the first is stopped."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from support.alerting import alertmanager_process, hasty, webhook_receiver
from support.channels import opened
from support.database import a_database
from support.outbox_world import OutboxWorld
from weighbridge.domain.message.grouping import Route
from weighbridge.engine.deliver.all_channels import Deliverers, Resending, SendContext
from weighbridge.engine.writer.writer import Writer
from weighbridge.notify.post import DEADLINE_S
from weighbridge.telemetry import Telemetry

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Pair:
    """The URLs of both, and what stops the first and lets it go on."""

    urls: tuple[str, str]
    send_signal: Callable[[int], None]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with ExitStack() as stack:
        config = hasty(stack.enter_context(webhook_receiver()))
        first, process = stack.enter_context(
            alertmanager_process(tmp_path / "first", config)
        )
        second, _ = stack.enter_context(
            alertmanager_process(tmp_path / "second", config)
        )
        # However the test ends, it can be ended.
        stack.callback(process.send_signal, signal.SIGCONT)
        yield Pair((first, second), process.send_signal)


async def repositories_at(url: str) -> set[str]:
    """Of every alert that it has."""
    async with httpx.AsyncClient(trust_env=False) as client:
        alerts = (await client.get(f"{url}/api/v2/alerts")).json()
    return {alert["labels"]["repository"] for alert in alerts}


async def test_the_living_one_of_two_gets_the_second_violation_at_once_too(
    tmp_path: Path, pair: Pair
) -> None:
    keys: dict[str, object] = {"name": "am", "kind": "alertmanager"}
    keys |= {"urls": list(pair.urls), "allow_private": True}
    with a_database(tmp_path) as database:
        outbox = OutboxWorld(database, ())
        sending = SendContext(
            Writer(database), lambda: datetime.now(UTC), "a", Telemetry()
        )
        async with opened(tmp_path, keys) as channels:
            each = channels.alertmanagers["am"].each
            resendings = [Resending(sending, one, [Route("am")]) for one in each]
            deliverers = Deliverers(sending, [], resendings)

            async def arrived(url: str, *repositories: str) -> float:
                began = time.monotonic()
                while await repositories_at(url) != set(repositories):
                    await deliverers.wake()
                    await asyncio.sleep(0.05)
                    assert time.monotonic() - began < 60
                return time.monotonic() - began

            pair.send_signal(signal.SIGSTOP)
            outbox.opened("acme/a", now=datetime.now(UTC))
            first_s = await arrived(pair.urls[1], "acme/a")
            outbox.opened("acme/b", now=datetime.now(UTC))
            second_s = await arrived(pair.urls[1], "acme/a", "acme/b")
            pair.send_signal(signal.SIGCONT)
            await arrived(pair.urls[0], "acme/a", "acme/b")

            await deliverers.aclose()
        sending.writer.close()
    print(f"first after {first_s:.2f} s, second after {second_s:.2f} s")
    assert max(first_s, second_s) < DEADLINE_S / 3
