"""`weighbridge up` that is killed while it tells somebody, and started again."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from support.message_sink import MessageSink, ok
from support.outbox_world import OutboxWorld
from support.serving import free_address
from support.wait import wait_in_thread
from weighbridge.domain.message.grouping import Route

HOOK = Route("hook", group_interval_s=1)
"""So that an end need not wait for five minutes."""
CONFIGURATION = """\
channels:
  - {{name: {channel}, kind: webhook, url: "{url}",
     allow_private: true, plain_http: true}}
"""


@dataclass(frozen=True, slots=True)
class Round:
    """One kill: the keys of the messages that came before it, and all that came."""

    before: list[str]
    keys: list[str]
    events: list[str]


def one_round(
    folder: Path, database_url: str, sink: MessageSink, outbox: OutboxWorld, n: int
) -> Round:
    """A violation whose message has arrived when its sender is killed, before it can
    note that; then it is closed, and the sender started again."""
    sink.received.clear()
    chance = random.Random(n)  # noqa: S311 - a die, no secret
    # Twenty rounds have more messages than one channel's pace lets through.
    route = replace(HOOK, channel=f"hook{n}")
    opened = outbox.opened(f"acme/r{n}", now=datetime.now(UTC), routes=(route,))
    with started(folder, database_url, sink, route.channel) as process:
        killed = threading.Event()

        def kill() -> None:
            os.kill(process.pid, signal.SIGKILL)
            killed.set()

        def die() -> int:
            sink.fault = ok
            if n % 2:
                kill()  # It never hears that its message was taken.
            else:
                threading.Timer(chance.random() * 0.02, kill).start()
            return 200

        sink.fault = die
        wait_in_thread(lambda: killed.is_set(), "the first message")
        process.wait()
    before = [one.key for one in sink.received]
    outbox.closed(opened, now=datetime.now(UTC))
    with started(folder, database_url, sink, route.channel):
        wait_in_thread(
            lambda: all(row.is_sent or row.dropped_for for row in outbox.kept()),
            "everything is told",
            seen=lambda: (outbox.kept(), (folder / "log").read_text()),
        )
    events = [item["event"] for one in sink.received for item in one.items]
    return Round(before, [one.key for one in sink.received], events)


@contextmanager
def started(
    folder: Path, database_url: str, sink: MessageSink, channel: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """`weighbridge up` over this database, told to tell the sink; killed at the end."""
    (folder / "weighbridge.yaml").write_text(
        CONFIGURATION.format(url=sink.url, channel=channel)
    )
    command = [sys.executable, "-m", "weighbridge", "up", "--bind", free_address()]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--database", database_url], cwd=folder, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
