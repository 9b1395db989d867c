"""A real Alertmanager is told: it fires, it ends, and it ends by itself."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from support.alerting import Receiver, alertmanager, webhook_receiver
from support.channels import opened
from support.receivers import refused
from support.serving import PLAIN, free_address
from support.tolds import HOSTILE, a_message, a_told, hostile_message
from support.wait import wait_until

NAME = "WeighbridgeOversizedPush"


@dataclass(frozen=True, slots=True)
class World:
    """An Alertmanager, whoever it tells, and the address of one that is gone."""

    url: str
    receiver: Receiver
    away: str


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    # Not in a test's loop: starting a server waits in one of its own.
    with (
        webhook_receiver() as receiver,
        alertmanager(tmp_path / "am", receiver) as url,
    ):
        yield World(url, receiver, f"http://{free_address()}")


def keys(*urls: str) -> dict[str, object]:
    return {
        "name": "am",
        "kind": "alertmanager",
        "urls": list(urls),
        "allow_private": True,
    }


def alerts_at(url: str) -> list[dict[str, str]]:
    """The annotations of every alert that an Alertmanager has."""
    answer = httpx.get(f"{url}/api/v2/alerts", trust_env=False, verify=PLAIN)
    return [alert["annotations"] for alert in answer.json()]


async def told(receiver: Receiver, status: str) -> dict[str, object]:
    """The alert as Alertmanager tells it."""
    await wait_until(
        lambda: receiver.find(NAME, status) is not None,
        f"an alert that is {status}",
    )
    found = receiver.find(NAME, status)
    assert found is not None
    return found


async def test_an_open_violation_fires_until_it_is_told_as_ended(
    tmp_path: Path, world: World
) -> None:
    now = datetime.now(UTC)
    async with opened(tmp_path, keys(f"{world.url}/")) as channels:
        (am,) = channels.alertmanagers["am"].each

        await am.resend([a_told(opened_at=now - timedelta(minutes=1))], now)

        firing = await told(world.receiver, "firing")
        await am.resend([a_told(event="resolved", closed_at=now)], now)
        ended = await told(world.receiver, "resolved")
    assert firing["labels"] == {
        "alertname": NAME,
        "severity": "warning",
        "registry": "harbor",
        "repository": "shop/api",
        "policy": "services",
        "team": "shop",
    }
    annotations = firing["annotations"]
    assert isinstance(annotations, dict)
    assert annotations["line"] == "RUN pip install torch"
    assert str(firing["generatorURL"]).startswith("https://weighbridge.example/")
    assert firing["fingerprint"] == ended["fingerprint"]


async def test_what_is_not_told_again_ends_by_itself(
    tmp_path: Path, world: World
) -> None:
    # As if it had been told 236 seconds ago, the last time.
    then = datetime.now(UTC) - timedelta(seconds=236)
    async with opened(tmp_path, keys(world.url)) as channels:
        (am,) = channels.alertmanagers["am"].each
        await am.resend([a_told(opened_at=then)], then)

    await told(world.receiver, "firing")
    await told(world.receiver, "resolved")


async def test_hostile_texts_are_taken_and_call_nobody(
    tmp_path: Path, world: World
) -> None:
    async with opened(tmp_path, keys(world.url)) as channels:
        for text in HOSTILE:
            await channels.alertmanagers["am"].send(hostile_message(text))

    await told(world.receiver, "firing")
    alerts = await asyncio.to_thread(alerts_at, world.url)
    assert len(alerts) > 10
    assert not any("<" in text for alert in alerts for text in alert.values())


async def test_all_of_several_are_told_although_one_is_away(
    tmp_path: Path, world: World
) -> None:
    async with opened(tmp_path, keys(world.away, world.url)) as channels:
        error = await refused(channels.alertmanagers["am"].send(a_message()))

    await told(world.receiver, "firing")
    assert error.message.startswith("channel am: 1 of 2 did not take it; number 1")


async def test_a_test_is_an_alert_of_its_own(tmp_path: Path, world: World) -> None:
    async with opened(tmp_path, keys(world.url)) as channels:
        notifier = channels.find("am")
        assert notifier is not None

        await notifier.send(a_message(is_test=True))

    await wait_until(
        lambda: world.receiver.find("WeighbridgeTest", "firing") is not None, "a test"
    )
    assert world.receiver.find(NAME, "firing") is None
