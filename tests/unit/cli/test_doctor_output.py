"""What `weighbridge doctor` makes of what it is told, and how that is printed."""

import csv
import io
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from weighbridge.bootstrap.doctor.check import Check, CheckResult, Installation
from weighbridge.bootstrap.doctor.database import clock_of, room_of
from weighbridge.bootstrap.doctor.processes import ticking
from weighbridge.bootstrap.doctor.running import examine
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.cli.doctor import printed
from weighbridge.config import PolicySource, load_settings
from weighbridge.errors import TransportError
from weighbridge.presentation.forms.screen import Screen, columns
from weighbridge.store.maintenance.place import DatabasePlace, type_of_file_system

FOUND = (
    CheckResult("database", "ok", "it answers", seconds=0.1234),
    CheckResult("redis memory", "fault", "it drops keys, " * 6, "set noeviction"),
    CheckResult("registry hub", "warning", "no", code="connect_error"),
)
MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /srv/data rw shared:9 - nfs4 server:/data rw,vers=4.2
31 22 0:41 / /srv/data/local rw - xfs /dev/sdb rw
32 22 0:42 / /with\040space rw master:1 - cifs //server/share rw
33 22 0:43 / /twice rw - nfs server:/x rw
34 33 0:44 / /twice rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("/home/w.db", "ext4"),
        ("/srv/data/w.db", "nfs4"),
        ("/srv/data/local/w.db", "xfs"),
        ("/srv/database/w.db", "ext4"),
        ("/with space/w.db", "cifs"),
        ("/twice/w.db", "tmpfs"),
    ],
)
def test_a_file_lies_on_the_file_system_that_is_mounted_deepest(
    file: str, kind: str
) -> None:
    assert type_of_file_system(file, MOUNTS) == kind


@pytest.mark.parametrize(
    ("stored", "free", "state"),
    [
        (10**6, 10**10, "ok"),
        (10**6, 999_999_999, "warning"),
        (10**10, 9 * 10**9, "warning"),
        (10**6, 63_999_999, "fault"),
        (10**6, None, "ok"),
    ],
)
def test_room_is_for_a_crawl_and_for_an_upgrade(
    stored: int, free: int | None, state: str
) -> None:
    assert room_of(DatabasePlace(stored, "/w.db", free)).state == state


@pytest.mark.parametrize(
    ("ahead_s", "state", "words"),
    [
        (0.4, "ok", "go together"),
        (30.0, "warning", "30 s ahead of the database's"),
        (-3600.0, "fault", "1 h behind the database's"),
    ],
)
def test_clocks_may_be_apart_for_seconds(
    ahead_s: float, state: str, words: str
) -> None:
    found = clock_of(ahead_s)

    assert found.state == state
    assert words in found.text


def test_who_searches_for_what_is_due_is_named() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)

    assert ticking(now, now, has_others=False).state == "ok"
    late = ticking(now - timedelta(minutes=5), now, has_others=True)
    assert (late.state, "weighbridge scheduler" in late.text) == ("fault", True)
    assert ticking(None, now, has_others=True).state == "fault"
    assert ticking(None, now, has_others=False).state == "warning"


def installation(folder: Path) -> Installation:
    settings = load_settings(None, {"HOME": str(folder)}, KINDS)
    return Installation(settings, PolicySource(), None, {}, None, 0)


def test_a_check_that_hangs_or_has_a_fault_hides_no_other(tmp_path: Path) -> None:
    end = threading.Event()

    def hangs(_: Installation, subject: str) -> Iterator[CheckResult]:
        yield CheckResult("slow", "ok", "the first step")
        end.wait()

    def refused(_: Installation, subject: str) -> Iterator[CheckResult]:
        raise TransportError("no", code="connect_error", hint="start it")

    def broken(_: Installation, subject: str) -> Iterator[CheckResult]:
        raise KeyError("s3cret")

    def fine(_: Installation, subject: str) -> Iterator[CheckResult]:
        yield CheckResult(f"fine {subject}", "ok", "yes")

    watched: list[tuple[str, int, int]] = []
    found = examine(
        installation(tmp_path),
        (
            Check("slow", hangs),
            Check("refused", refused),
            Check("broken", broken),
            Check("fine", fine, lambda _: ("a", "b")),
            Check("later", fine, needs_database=True),
        ),
        lambda *told: watched.append(told),
    )
    end.set()

    told = [(one.name, one.state, one.code) for one in found]
    assert told == [
        ("slow", "ok", ""),
        ("slow", "fault", "deadline"),
        ("refused", "fault", "connect_error"),
        ("broken", "fault", ""),
        ("fine a", "ok", ""),
        ("fine b", "ok", ""),
        ("fine ", "ok", ""),
    ]
    assert "s3cret" not in str(found)
    assert watched[-1] == ("checks", 5, 5)


def test_a_terminal_shows_all_of_it_within_its_width() -> None:
    text = printed(FOUND, "table", Screen(width=60))

    lines = text.splitlines()
    assert lines[0] == "ok       database      it answers"
    assert max(map(columns, lines)) <= 60
    assert " ".join(text.split()).count("it drops keys,") == 6
    assert "do: set noeviction" in text
    assert "do: check its address and port, and that it runs" in " ".join(text.split())
    assert lines[-1] == "1 fault, 1 warning"
    assert printed(FOUND[:1], "table", Screen()).splitlines()[-1] == "all is right"


def test_programs_get_stable_keys() -> None:
    told = json.loads(printed(FOUND, "json", Screen()))

    assert (told["faults"], told["warnings"]) == (1, 1)
    assert told["items"][0] == {
        "name": "database",
        "state": "ok",
        "text": "it answers",
        "action": None,
        "code": None,
        "seconds": 0.123,
    }
    rows = list(csv.DictReader(io.StringIO(printed(FOUND, "csv", Screen()))))
    assert [row["state"] for row in rows] == ["ok", "fault", "warning"]
    assert "| `redis memory` |" in printed(FOUND, "markdown", Screen())
