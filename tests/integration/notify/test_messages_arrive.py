"""`weighbridge up` and a real receiver: down, and shared by two services."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.database import Engine
from support.message_sink import message_sink
from support.message_stage import Stage, a_message_stage, now, wait_for
from support.outbox_world import OutboxWorld
from support.serving import PLAIN, free_address
from weighbridge.domain.message.grouping import MESSAGES_A_MINUTE, Route


@pytest.fixture
def stage(tmp_path: Path, engine: Engine) -> Iterator[Stage]:
    with a_message_stage(tmp_path, engine) as stage:
        yield stage


def test_f38_a_receiver_that_was_down_is_told_once_it_is_back(stage: Stage) -> None:
    outbox = OutboxWorld(stage.database, (Route("hook"),))
    port = int(free_address().partition(":")[2])
    # The scheduler enqueues at its start, and then each five seconds.
    one = outbox.opened(now=now())
    with stage.up(hook=f"http://127.0.0.1:{port}/hook") as (address, _):

        def status() -> dict[str, object]:
            answer = httpx.get(
                f"http://{address}/api/v1/notifications", trust_env=False, verify=PLAIN
            )
            items: list[dict[str, object]] = answer.json()["items"]
            return items[0]

        wait_for(lambda: status()["state"] == "failing", "the first try")
        assert status()["error_code"] == "connect_error"
        with message_sink(port) as sink:
            wait_for(lambda: sink.taken, "the message")
            wait_for(lambda: status()["state"] == "ok", "that it is noted")
            metrics = httpx.get(
                f"http://{address}/metrics", trust_env=False, verify=PLAIN
            ).text

    (message,) = sink.received
    assert [item["violation_id"] for item in message.items] == [one]
    tries = metric(metrics, "weighbridge_notifications_total")
    failures = metric(metrics, "weighbridge_notification_failures_total")
    assert failures >= 1
    assert tries == failures + 1
    assert metric(metrics, "weighbridge_notifications_given_up_total") == 0


@pytest.mark.only_on("postgresql")
def test_two_services_over_one_database_send_once(stage: Stage) -> None:
    outbox = OutboxWorld(stage.database, (Route("hook", group_by=("repository",)),))
    with (
        message_sink() as sink,
        stage.up(hook=sink.url),
        stage.up(hook=sink.url),
    ):
        for number in range(MESSAGES_A_MINUTE):
            outbox.opened(f"acme/r{number}", now=now())
        wait_for(lambda: all(row.is_sent for row in outbox.kept()), "all are told")

    told = [item["repository"] for message in sink.received for item in message.items]
    assert sorted(told) == sorted(
        f"acme/r{number}" for number in range(MESSAGES_A_MINUTE)
    )


def metric(text: str, name: str) -> float:
    (line,) = [
        line for line in text.splitlines() if line.startswith(f'{name}{{channel="hook"')
    ]
    return float(line.rpartition(" ")[2])
