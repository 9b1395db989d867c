"""What keeps `worker`, `scheduler` and `serve` from starting, and how they stop."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from support.database import a_database
from support.notify_socket import a_notify_socket
from support.wait import wait_in_thread
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.cli.main import run
from weighbridge.cli.options.common import Options
from weighbridge.config import load_settings
from weighbridge.jobs.worker_processes import WorkerProcesses
from weighbridge.store.session import open_database

REDIS = "redis://127.0.0.1:1/0"
ENDLESS = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("WEIGHBRIDGE_")]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.mark.parametrize("command", ["worker", "scheduler"])
def test_without_redis_there_is_nothing_to_join(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command]) == 2

    assert "[no_redis]" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["worker"], ["scheduler"], ["serve", "--bind", "127.0.0.1:0"]],
    ids=" ".join,
)
def test_a_database_of_a_newer_version_is_refused(
    arguments: list[str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_REDIS_URL", REDIS)
    with a_database(folder) as database, database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    assert run([*arguments, "--database", "weighbridge.db"]) == 2

    assert "[schema_version]" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["worker"], ["scheduler"], ["serve", "--bind", "127.0.0.1:0"]],
    ids=" ".join,
)
def test_sigterm_ends_who_waits_for_an_upgrade(
    arguments: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_REDIS_URL", REDIS)
    open_database(f"sqlite:///{folder / 'empty.db'}").close()
    with a_notify_socket(folder) as manager:
        monkeypatch.setenv("NOTIFY_SOCKET", str(manager.path))

        def end_once_it_waits() -> None:
            wait_in_thread(lambda: bool(manager.said), "it waits")
            os.kill(os.getpid(), signal.SIGTERM)

        ending = threading.Thread(target=end_once_it_waits)
        ending.start()
        code = run([*arguments, "--database", "empty.db"])
        ending.join()

    assert code == 128 + signal.SIGTERM
    _, said = manager.said[0]
    assert said.startswith("STATUS=waits for weighbridge db upgrade: ")
    assert not manager.strangers


def test_a_queue_that_does_not_exist_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["worker", "--queues", "push,crawls"]) == 2

    shown = capsys.readouterr().err
    assert "'crawls'" in shown
    assert "push, crawl, measure, notify" in shown


def test_a_node_finds_the_settings_that_the_command_had(folder: Path) -> None:
    (folder / "other.yaml").write_text(f"redis_url: {REDIS}\n")
    environ = {"WEIGHBRIDGE_DATABASE_URL_FILE": "x", "PATH": "/bin"}
    options = Options(config="other.yaml", database="w.db")
    settings = load_settings("other.yaml", {}, KINDS, database_url="w.db")

    handed = options.handed_over(settings, environ)

    assert load_settings(None, handed, KINDS).redis_url == settings.redis_url
    assert load_settings(None, handed, KINDS).database_url == settings.database_url
    assert handed["PATH"] == "/bin"


def listening(mark: Path, end: str) -> list[str]:
    """A node that makes the file `mark` once it listens for SIGTERM, and ends so."""
    code = (
        "import os, pathlib, signal, sys, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: {end})\n"
        f"pathlib.Path({str(mark)!r}).touch()\n"
        "time.sleep(60)"
    )
    return [sys.executable, "-c", code]


def stopped(nodes: WorkerProcesses, number: signal.Signals, *marks: Path) -> int:
    """Its exit code after a signal that comes once all marks are there."""
    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}

    def send() -> None:
        wait_in_thread(
            lambda: all(mark.exists() for mark in marks),
            "all nodes have begun",
        )
        os.kill(os.getpid(), number)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        return nodes.run(os.environ)
    finally:
        sender.join()
        for which, handler in before.items():
            signal.signal(which, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_f17_a_signal_ends_all_nodes(number: signal.Signals, folder: Path) -> None:
    marks = (folder / "one", folder / "two")
    calm = [listening(mark, "sys.exit(0)") for mark in marks]

    assert stopped(WorkerProcesses(calm), number, *marks) == 0


def test_f17_a_node_that_is_stopped_while_it_starts_has_stopped(folder: Path) -> None:
    mark = folder / "begun"
    calm = listening(mark, "sys.exit(0)")

    assert stopped(WorkerProcesses([ENDLESS, calm]), signal.SIGTERM, mark) == 0


@pytest.mark.parametrize(
    ("end", "expected"), [("sys.exit(5)", 5), ("os.kill(os.getpid(), 9)", 137)]
)
def test_f17_a_node_that_does_not_stop_well_is_told(
    end: str, expected: int, folder: Path
) -> None:
    mark = folder / "begun"

    assert (
        stopped(WorkerProcesses([listening(mark, end)]), signal.SIGTERM, mark)
        == expected
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "end", ["sys.exit(70)", "sys.exit(0)", "os.kill(os.getpid(), 9)"]
)
def test_a_node_that_ends_is_started_again(end: str, folder: Path) -> None:
    """Its second life makes the mark, at which all are told to stop."""
    mark, first = folder / "second", folder / "first"
    code = (
        "import os, pathlib, sys, time\n"
        f"first = pathlib.Path({str(first)!r})\n"
        f"if not first.exists():\n    first.touch()\n    {end}\n"
        f"pathlib.Path({str(mark)!r}).touch()\n"
        "time.sleep(60)"
    )
    nodes = WorkerProcesses([ENDLESS, [sys.executable, "-c", code]], most_pause_s=1)

    assert stopped(nodes, signal.SIGTERM, mark) == 0


@pytest.mark.slow  # takes seconds
def test_a_node_that_cannot_live_is_tried_less_and_less_often(folder: Path) -> None:
    lives = folder / "lives"
    code = f"open({str(lives)!r}, 'a').write('x')"
    calm = listening(folder / "begun", "sys.exit(0)")
    nodes = WorkerProcesses([calm, [sys.executable, "-c", code]])
    threading.Timer(3.5, os.kill, (os.getpid(), signal.SIGTERM)).start()

    stopped(nodes, signal.SIGWINCH, folder / "begun")

    # At once, after a second, after two more; the next would be after four.
    assert len(lives.read_text()) <= 3
