"""`weighbridge up` and real receivers: down, slow, hanging; and two that tell."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from support.database import Engine, a_database_url
from support.message_sink import MessageSink, message_sink, slow
from support.outbox_world import OutboxWorld
from support.serving import free_address, serving
from support.wait import wait_in_thread
from weighbridge.domain.routing import Route
from weighbridge.store.session import Database, open_database

SOON_S = 20.0
"""The scheduler rings every five seconds; the machine may be busy."""


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Stage:
    """A database, and as many services over it as a test wants."""

    folder: Path
    url: str
    database: Database

    @contextmanager
    def up(
        self, *more: Mapping[str, object], **channels: str
    ) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
        """Its address and process; webhooks by name, with where they are.

        more: further channels
        """
        address = free_address()
        home = self.folder / address.partition(":")[2]
        home.mkdir()
        configured = {
            "database_url": self.url,
            "channels": [
                *more,
                *(
                    {
                        "name": name,
                        "kind": "webhook",
                        "url": url,
                        "allow_private": True,
                        "plain_http": True,
                    }
                    for name, url in channels.items()
                ),
            ],
        }
        (home / "weighbridge.yaml").write_text(json.dumps(configured))
        command = [sys.executable, "-m", "weighbridge", "up", "--bind", address]
        with serving(command, home, address, "/readyz") as process:
            yield address, process


@pytest.fixture
def stage(tmp_path: Path, engine: Engine) -> Iterator[Stage]:
    with ExitStack() as stack:
        url = stack.enter_context(a_database_url(tmp_path, engine))
        database = open_database(url)
        stack.callback(database.close)
        yield Stage(tmp_path, url, database)


def wait_for(condition: object, what: str) -> None:
    assert callable(condition)
    wait_in_thread(lambda: bool(condition()), what, deadline_s=SOON_S)


def test_f38_a_receiver_that_was_down_is_told_once_it_is_back(stage: Stage) -> None:
    outbox = OutboxWorld(stage.database, (Route("hook"),))
    port = int(free_address().partition(":")[2])
    with stage.up(hook=f"http://127.0.0.1:{port}/hook") as (address, _):
        one = outbox.opened(now=now())

        def status() -> dict[str, object]:
            answer = httpx.get(
                f"http://{address}/api/v1/notifications", trust_env=False
            )
            items: list[dict[str, object]] = answer.json()["items"]
            return items[0]

        wait_for(lambda: status()["state"] == "failing", "the first try")
        assert status()["error_code"] == "connect_error"
        with message_sink(port) as sink:
            wait_for(lambda: sink.taken, "the message")
            wait_for(lambda: status()["state"] == "ok", "that it is noted")
            metrics = httpx.get(f"http://{address}/metrics", trust_env=False).text

    (message,) = sink.received
    assert [item["violation_id"] for item in message.items] == [one]
    tries = metric(metrics, "weighbridge_notifications_total")
    failures = metric(metrics, "weighbridge_notification_failures_total")
    assert failures >= 1
    assert tries == failures + 1
    assert metric(metrics, "weighbridge_notifications_given_up_total") == 0


def test_a_slow_receiver_holds_up_its_own_channel_only(stage: Stage) -> None:
    routes = (Route("slow", group_by=("policy",)), Route("quick"))
    outbox = OutboxWorld(stage.database, routes)
    with message_sink() as dragging, message_sink() as quick:
        dragging.fault = slow(8)
        with stage.up(slow=dragging.url, quick=quick.url):
            outbox.opened("acme/a", now=now(), policy="a")
            wait_for(lambda: dragging.received and quick.taken, "both begin")
            outbox.opened("acme/b", now=now(), policy="b")
            wait_for(lambda: len(quick.taken) == 2, "the second one")
            assert dragging.taken == []
            wait_for(lambda: dragging.taken, "the slow one has it after all")


def test_two_services_over_one_database_send_once(stage: Stage) -> None:
    outbox = OutboxWorld(stage.database, (Route("hook", group_by=("repository",)),))
    with (
        message_sink() as sink,
        stage.up(hook=sink.url),
        stage.up(hook=sink.url),
    ):
        for number in range(30):
            outbox.opened(f"acme/r{number}", now=now())
        wait_for(lambda: all(row.is_sent for row in outbox.kept()), "all are told")

    told = [item["repository"] for message in sink.received for item in message.items]
    assert sorted(told) == sorted(f"acme/r{number}" for number in range(30))


def test_who_is_told_to_stop_waits_for_no_receiver_that_hangs(stage: Stage) -> None:
    outbox = OutboxWorld(stage.database, (Route("hook"),))
    with message_sink() as sink:
        sink.fault = slow(15)
        with stage.up(hook=sink.url) as (_, process):
            outbox.opened(now=now())
            wait_for(lambda: sink.received, "it is on its way")
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            took_s = time.monotonic() - began
        sink.fault = MessageSink().fault
        with stage.up(hook=sink.url):
            wait_for(lambda: outbox.kept()[0].is_sent, "the next one goes on")

    assert took_s < 10
    assert process.returncode == 0
    assert len({message.key for message in sink.received}) == 1


def test_an_alertmanager_is_told_what_is_open_and_what_has_ended(stage: Stage) -> None:
    outbox = OutboxWorld(stage.database, ())
    with message_sink() as sink:
        channel = {
            "name": "am",
            "kind": "alertmanager",
            "urls": [f"http://127.0.0.1:{sink.port}"],
            "allow_private": True,
            "plain_http": True,
        }
        with stage.up(channel):
            one = outbox.opened("acme/a", now=now())
            wait_for(lambda: len(sink.received) == 1, "it is told")
            outbox.closed(one, now=now())
            wait_for(lambda: len(sink.received) == 2, "its end is told")

    (fires,), (ends,) = (json.loads(message.raw) for message in sink.received)
    assert fires["labels"] == ends["labels"]
    assert fires["labels"]["alertname"] == "WeighbridgeOversizedPush"
    assert fires["labels"]["repository"] == "acme/a"
    assert datetime.fromisoformat(fires["endsAt"]) > now()
    assert datetime.fromisoformat(ends["endsAt"]) <= now()
    assert outbox.kept() == []


def metric(text: str, name: str) -> float:
    (line,) = [
        line for line in text.splitlines() if line.startswith(f'{name}{{channel="hook"')
    ]
    return float(line.rpartition(" ")[2])
