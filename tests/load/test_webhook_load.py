"""Webhooks at a rate, in a burst, and around a kill: what was accepted is there.

The service is `weighbridge up` as a process of its own, over SQLite; its registry does
not answer, so that nothing but the taking of webhooks is measured. Run it with
`-rP` to see the figures.
"""

import os
import signal
import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from support.images_oci import Pusher, made_image, made_layer
from support.pushing import a_push_stage
from support.serving import free_address
from support.webhook_load import (
    SECRET,
    Report,
    event_id,
    send_load,
    with_duplicates,
)
from support.weighbridge_up import Up, weighbridge_up
from weighbridge.domain.webhook.webhook_source import PushSeen
from weighbridge.store.pushes.inbox import ReceivedPush

CONFIGURATION: Final = f"""\
registries: [{{name: local, url: "http://{free_address()}", interval: 300d}}]
webhooks: [{{source: distribution, registry: local, secret: {SECRET}}}]
log_level: error
"""
STEADY_A_SECOND: Final = 500
STEADY_S: Final = 30
BURST_A_SECOND: Final = 10_000
BURST_S: Final = 10
ROUNDS: Final = 20
ACKS: Final = 50
AWAY_S: Final = 60.0

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with weighbridge_up(tmp_path, CONFIGURATION) as running:
        yield running


def missing(folder: Path, numbers: Collection[int]) -> list[int]:
    """Events that have no row in the database of the service in this folder."""
    with closing(sqlite3.connect(folder / "w.db")) as database:
        rows = database.execute("SELECT event_key FROM pushes").fetchall()
    kept = {bytes(row[0]) for row in rows}
    return [number for number in numbers if key_of(number) not in kept]


def key_of(number: int) -> bytes:
    push = PushSeen("load/r", "t", None, False, None, event_id(number))
    return ReceivedPush("local", "distribution", push).event_key


def rows_in(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "w.db")) as database:
        count: int = database.execute("SELECT count(*) FROM pushes").fetchone()[0]
    return count


def tell(what: str, report: Report) -> None:
    print(
        f"{what}: {report.offered} offered, {dict(report.statuses)}, "
        f"{report.accepted_a_second:.0f}/s accepted"
    )
    for status in sorted(report.statuses):
        shares = (0.5, 0.9, 0.99, 1.0)
        took = [1000 * report.percentile(status, s, waited=True) for s in shares]
        print(f"  {status}: ms p50 p90 p99 max", *(f"{ms:.0f}" for ms in took))


def peak_bytes(up: Up) -> int:
    """The most memory that the process has had."""
    status = Path(f"/proc/{up.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def test_five_hundred_a_second_are_all_kept_and_answered_in_time(
    tmp_path: Path, up: Up
) -> None:
    numbers = range(STEADY_A_SECOND * STEADY_S)

    report = send_load(up.address, numbers, a_second=STEADY_A_SECOND, connections=50)

    tell(f"{STEADY_A_SECOND}/s", report)
    assert dict(report.statuses) == {202: len(numbers)}
    assert missing(tmp_path, numbers) == []
    # From when each was due: what waits for a connection counts as well.
    assert report.percentile(202, 0.99) < 0.25


@pytest.mark.parametrize("connections", [32, 100])
def test_as_many_as_it_takes_are_all_kept(
    tmp_path: Path, up: Up, connections: int
) -> None:
    """The highest rate held: as many as are answered, with nothing refused."""
    numbers = range(20_000)

    report = send_load(up.address, numbers, a_second=0, connections=connections)

    tell(f"{connections} senders", report)
    assert dict(report.statuses) == {202: len(numbers)}
    assert missing(tmp_path, numbers) == []


@pytest.mark.parametrize("connections", [100, 300, 1_000])
def test_f35_webhook_015_a_burst_is_shed_and_nothing_accepted_is_lost(
    tmp_path: Path, up: Up, connections: int
) -> None:
    numbers = with_duplicates(BURST_A_SECOND * BURST_S, 0.9)

    report = send_load(
        up.address, numbers, a_second=BURST_A_SECOND, connections=connections
    )

    tell(f"burst, {connections} senders", report)
    memory = peak_bytes(up)
    print(f"  {memory / 2**20:.0f} MiB at most")
    assert set(report.statuses) <= {202, 503}
    assert report.lost == 0
    assert missing(tmp_path, report.accepted) == []
    assert rows_in(tmp_path) <= len(set(numbers))
    assert memory < 300 * 2**20
    # Of a thousand senders the generator itself takes longer to hear the answers.
    share = 0.99 if connections <= 300 else 0.9
    assert report.percentile(503, share, waited=True) < 0.1
    assert up.get("/healthz")


def test_f36_what_was_accepted_survives_a_kill(tmp_path: Path) -> None:
    accepted: set[int] = set()
    for number in range(ROUNDS):
        first = number * 10_000
        with weighbridge_up(tmp_path, CONFIGURATION) as up:

            def kill(report: Report, pid: int = up.pid) -> None:
                if len(report.accepted) == ACKS:
                    os.kill(pid, signal.SIGKILL)

            report = send_load(
                up.address,
                range(first, first + 2_000),
                a_second=0,
                connections=20,
                on_answer=kill,
            )
        assert ACKS <= len(report.accepted) < 2_000
        accepted |= report.accepted

        assert missing(tmp_path, report.accepted) == []

    assert missing(tmp_path, accepted) == []
    print(f"{ROUNDS} kills: {len(accepted)} accepted, none lost")


def test_f37_a_minute_away_and_everything_is_seen(tmp_path: Path) -> None:
    with a_push_stage(tmp_path) as stage, Pusher(stage.registry.url) as pusher:
        with stage.up():
            pusher.push("shop/app", made_image(made_layer("x", b"x" * 99)), "before")
            stage.wait_for(lambda: "before" in stage.tags("shop/app"), "the first")
        for number in range(20):
            layer = made_layer(f"l{number}", f"{number}".encode() * 500)
            pusher.push("shop/app", made_image(layer), f"t{number}")
        time.sleep(AWAY_S)

        with stage.up():
            wanted = {"before", *(f"t{number}" for number in range(20))}
            took = stage.wait_for(
                lambda: set(stage.tags("shop/app")) == wanted, "all of them", 60
            )
    print(f"all 20 seen {took:.1f} s after the service was there again")
