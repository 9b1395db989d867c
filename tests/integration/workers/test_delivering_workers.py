"""Messages told by workers: once, also where one of them is killed while it tells."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from support.message_sink import MessageSink, message_sink, ok, slow
from support.outbox_world import OutboxWorld
from support.serving import PLAIN, free_address
from support.worker_crew import Crew, a_crew
from weighbridge.domain.message.grouping import MESSAGES_A_MINUTE, Route

NOBODY = "http://127.0.0.1:1"
_COUNTED = re.compile(r'weighbridge_notifications_total{channel="hook"} [12]\.0')


@pytest.fixture
def sink() -> Iterator[MessageSink]:
    with message_sink() as listening:
        yield listening


@pytest.fixture
def crew(tmp_path: Path, sink: MessageSink) -> Iterator[Crew]:
    with ExitStack() as stack:
        crew = stack.enter_context(a_crew(tmp_path, NOBODY, interval="1d"))
        channel = {
            "name": "hook",
            "kind": "webhook",
            "url": sink.url,
            "allow_private": True,
            "plain_http": True,
        }
        configured = json.loads(crew.config.read_text()) | {"channels": [channel]}
        crew.config.write_text(json.dumps(configured))
        yield crew


def now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.timeout(240)
@pytest.mark.long
def test_f38_a_worker_that_is_killed_while_it_tells_is_replaced(
    crew: Crew, sink: MessageSink
) -> None:
    outbox = OutboxWorld(crew.database, (Route("hook"),))
    address = free_address()
    crew.start("serve", "--bind", address)
    first = crew.single_worker()
    crew.quick_scheduler()
    sink.fault = slow(30)
    one = outbox.opened(now=now())
    crew.wait_for(lambda: bool(sink.received), "it is on its way")

    # The receiver has it, and nobody has noted that.
    first.kill()
    sink.fault = ok
    crew.single_worker()
    crew.wait_for(lambda: outbox.kept()[0].is_sent, "it is told")

    assert len({message.key for message in sink.received}) == 1
    assert len(sink.received) == 2
    ids = {item["violation_id"] for m in sink.received for item in m.items}
    assert ids == {one}

    def shown() -> bool:
        text = httpx.get(
            f"http://{address}/metrics", trust_env=False, verify=PLAIN
        ).text
        return re.search(_COUNTED, text) is not None

    # What the killed one had counted may be lost with it.
    crew.wait_for(shown, "a service shows what workers count")


@pytest.mark.long  # 13 s; test_messages_arrive has two services
@pytest.mark.timeout(240)
def test_two_workers_tell_everything_once_and_stop_in_time(
    crew: Crew, sink: MessageSink
) -> None:
    outbox = OutboxWorld(crew.database, (Route("hook", group_by=("repository",)),))
    workers = [crew.single_worker(), crew.single_worker()]
    crew.quick_scheduler()
    for number in range(MESSAGES_A_MINUTE):
        outbox.opened(f"acme/r{number}", now=now())
    crew.wait_for(lambda: all(row.is_sent for row in outbox.kept()), "all are told")
    outbox.minute_crawls(now(), "hook")

    told = [item["repository"] for message in sink.received for item in message.items]
    assert sorted(told) == sorted(
        f"acme/r{number}" for number in range(MESSAGES_A_MINUTE)
    )
    sink.fault = slow(20)
    outbox.opened("acme/late", now=now())
    crew.wait_for(
        lambda: len(sink.received) == MESSAGES_A_MINUTE + 1, "one is on its way"
    )
    for worker in workers:
        assert worker.stop() == 0
