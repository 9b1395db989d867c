"""`weighbridge up` and real receivers at length: slow, hanging, an Alertmanager."""

import json
import signal
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from support.database import Engine
from support.message_sink import MessageSink, message_sink, slow
from support.message_stage import Stage, a_message_stage, now, wait_for
from support.outbox_world import OutboxWorld
from weighbridge.domain.message.grouping import Route


@pytest.fixture
def stage(tmp_path: Path, engine: Engine) -> Iterator[Stage]:
    with a_message_stage(tmp_path, engine) as stage:
        yield stage


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
