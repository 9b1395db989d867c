"""Policies are read again: when a file changes, when told, all of them or none."""

import os
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from support.wait import wait_in_thread
from weighbridge.config import load_policies
from weighbridge.engine.judge.policy_reload import PolicyReload
from weighbridge.telemetry import Telemetry

if TYPE_CHECKING:
    from _typeshed import TraceFunction

MAIN = "policy_files: ['*.policy']\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "weighbridge.yaml").write_text(MAIN)
    write(tmp_path, a="500MB")
    return tmp_path


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


def write(folder: Path, **limits: str) -> None:
    """A file of one policy for each name; another file in its place, as an editor or
    a mounted ConfigMap leaves it."""
    for name, limit in limits.items():
        text = f"policies:\n  - name: {name}\n    max_compressed: {limit}\n"
        (folder / "new").write_text(text)
        (folder / "new").replace(folder / f"{name}.policy")


def reload_of(folder: Path, telemetry: Telemetry, now: float = 1000.0) -> PolicyReload:
    source = load_policies(str(folder / "weighbridge.yaml"), {})
    return PolicyReload(source, telemetry, poll_s=0.01, wall=lambda: now)


def limit_of(reload: PolicyReload) -> int | None:
    return reload.current().limits_of("hub", "app", "1").max_compressed_bytes


def values(telemetry: Telemetry) -> Mapping[str, float | None]:
    return {
        name: telemetry.registry.get_sample_value(f"weighbridge_config_last_{name}")
        for name in ("reload_successful", "reload_success_timestamp_seconds")
    }


def test_a_file_that_changed_is_read_once_two_looks_have_seen_it_alike(
    folder: Path, telemetry: Telemetry
) -> None:
    reload = reload_of(folder, telemetry)
    before = reload.current()
    write(folder, a="700MB")

    reload.poll()
    still = reload.current()
    reload.poll()

    assert still is before
    assert limit_of(reload) == 700_000_000


def test_a_file_that_grows_is_left_until_it_rests(
    folder: Path, telemetry: Telemetry
) -> None:
    reload = reload_of(folder, telemetry)

    for size in ("1MB", "22MB", "333MB"):
        write(folder, a=size)
        reload.poll()
    while_written = limit_of(reload)
    reload.poll()

    assert while_written == 500_000_000
    assert limit_of(reload) == 333_000_000


def test_nothing_is_read_while_nothing_changes(
    folder: Path, telemetry: Telemetry
) -> None:
    reload = reload_of(folder, telemetry)
    before = reload.current()

    for _ in range(3):
        reload.poll()

    assert reload.current() is before


def test_files_that_come_and_go_are_changes_too(
    folder: Path, telemetry: Telemetry
) -> None:
    reload = reload_of(folder, telemetry)
    write(folder, b="1MB")
    (folder / "a.policy").unlink()

    reload.poll()
    reload.poll()

    assert limit_of(reload) == 1_000_000


def test_a_faulty_file_leaves_every_policy_as_it_was_and_says_so(
    folder: Path, telemetry: Telemetry
) -> None:
    reload = reload_of(folder, telemetry)
    write(folder, a="700MB", b="many")

    with capture_logs() as said:
        reload.poll()
        reload.poll()
        reload.poll()

    assert limit_of(reload) == 500_000_000
    assert values(telemetry) == {
        "reload_successful": 0,
        "reload_success_timestamp_seconds": 1000,
    }
    (event,) = said
    assert event["log_level"] == "error"
    assert event["faults"] == [
        f"{folder}/b.policy:3  policies[0].max_compressed = many  is no number of "
        "bytes: write 500MB (500,000,000) or 500MiB (524,288,000)"
    ]


def test_a_repaired_file_is_read_and_the_metric_follows(
    folder: Path, telemetry: Telemetry
) -> None:
    now = [1000.0]
    source = load_policies(str(folder / "weighbridge.yaml"), {})
    reload = PolicyReload(source, telemetry, wall=lambda: now[0])
    write(folder, a="many")
    reload.reload()
    write(folder, a="800MB")
    now[0] = 2000.0

    reload.reload()

    assert limit_of(reload) == 800_000_000
    assert values(telemetry) == {
        "reload_successful": 1,
        "reload_success_timestamp_seconds": 2000,
    }


def test_since_when_it_fails_is_known_until_a_reload_goes_well(
    folder: Path, telemetry: Telemetry
) -> None:
    now = [1000.0]
    source = load_policies(str(folder / "weighbridge.yaml"), {})
    reload = PolicyReload(source, telemetry, wall=lambda: now[0])
    at_first = reload.failed_since()
    write(folder, a="many")
    reload.reload()
    now[0] = 2000.0
    reload.reload()
    failed = reload.failed_since()
    write(folder, a="800MB")

    reload.reload()

    assert (at_first, reload.failed_since()) == (None, None)
    assert failed == datetime.fromtimestamp(1000, UTC)


def test_before_any_reload_the_first_reading_counts(
    folder: Path, telemetry: Telemetry
) -> None:
    reload_of(folder, telemetry, now=7)

    assert values(telemetry) == {
        "reload_successful": 1,
        "reload_success_timestamp_seconds": 7,
    }


def test_policies_of_the_main_file_are_read_again_too(
    folder: Path, telemetry: Telemetry
) -> None:
    reload = reload_of(folder, telemetry)
    (folder / "weighbridge.yaml").write_text(
        "policies: [{name: main, max_compressed: 9MB}]\nlog_level: debug\n"
    )

    reload.reload()

    assert limit_of(reload) == 9_000_000


def test_a_main_file_that_is_gone_changes_nothing(
    folder: Path, telemetry: Telemetry
) -> None:
    reload = reload_of(folder, telemetry)
    (folder / "weighbridge.yaml").unlink()

    reload.reload()

    assert limit_of(reload) == 500_000_000
    assert values(telemetry)["reload_successful"] == 0


def test_a_folder_that_is_gone_does_not_end_its_policies(
    tmp_path: Path, telemetry: Telemetry
) -> None:
    (tmp_path / "weighbridge.yaml").write_text("policy_files: ['teams/*.policy']\n")
    (tmp_path / "teams").mkdir()
    write(tmp_path / "teams", a="500MB")
    reload = reload_of(tmp_path, telemetry)
    (tmp_path / "teams").rename(tmp_path / "elsewhere")

    reload.reload()

    assert limit_of(reload) == 500_000_000


def test_a_signal_has_everything_read_again_though_no_file_looks_changed(
    folder: Path, telemetry: Telemetry
) -> None:
    source = load_policies(str(folder / "weighbridge.yaml"), {})
    reload = PolicyReload(source, telemetry, poll_s=3600)
    before = reload.current()
    reload.start()

    reload.wake()

    wait_in_thread(lambda: reload.current() is not before, "they are read again")
    reload.close()


def test_a_signal_that_comes_while_another_is_handled_holds_nothing_up(
    folder: Path, telemetry: Telemetry
) -> None:
    reload = reload_of(folder, telemetry)

    def ring() -> None:
        sys.settrace(ring_again)
        reload.wake()
        sys.settrace(None)

    def ring_again(frame: FrameType, event: str, argument: object) -> "TraceFunction":
        """What a second signal does between any two lines of the first handler."""
        if event == "line":
            sys.settrace(None)
            reload.wake()
            sys.settrace(ring_again)
        return ring_again

    handler = threading.Thread(target=ring, daemon=True)
    handler.start()
    handler.join(60)

    assert not handler.is_alive()


def test_a_change_is_found_without_being_told(
    folder: Path, telemetry: Telemetry
) -> None:
    reload = reload_of(folder, telemetry)
    reload.start()

    write(folder, a="900MB")

    wait_in_thread(lambda: limit_of(reload) == 900_000_000, "the change is found")
    reload.close()


def test_closing_before_the_start_is_fine(folder: Path, telemetry: Telemetry) -> None:
    reload_of(folder, telemetry).close()


def test_a_touch_is_a_change_that_changes_nothing(
    folder: Path, telemetry: Telemetry
) -> None:
    reload = reload_of(folder, telemetry)
    os.utime(folder / "a.policy", ns=(1, 1))

    reload.poll()
    reload.poll()

    assert limit_of(reload) == 500_000_000
