"""Processes that bring a database to this version, all at the same moment."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final, TypeAlias

Process: TypeAlias = "subprocess.Popen[str]"

_PATIENCE_S: Final = 90.0
_UPGRADE: Final = """
import sys
from weighbridge.store.schema import upgrade
from weighbridge.store.session import open_database
print("ready", flush=True)
sys.stdin.readline()
database = open_database(sys.argv[1])
print(upgrade(database), flush=True)
database.close()
"""
_STOP_MIDWAY: Final = """
import sys
from weighbridge.store.schema import upgrade_in
from weighbridge.store.session import open_database
with open_database(sys.argv[1]).write() as connection:
    upgrade_in(connection)
    print("midway", flush=True)
    sys.stdin.read()
"""


def upgrade_at_once(url: str, copies: int) -> list[str]:
    """What each of so many processes says, which begin together: the revision."""
    with ExitStack() as stack:
        processes = [
            stack.enter_context(_running(_UPGRADE, url)) for _ in range(copies)
        ]
        for process in processes:
            assert _line(process) == "ready"
        for process in processes:
            _begin(process)
        return [_end(process) for process in processes]


@contextmanager
def a_waiting_upgrade(url: str) -> Iterator[Process]:
    """One process that has begun to upgrade; see `end_of`."""
    with _running(_UPGRADE, url) as process:
        assert _line(process) == "ready"
        _begin(process)
        yield process


def end_of(process: Process) -> str:
    """The revision that it came to, once it has."""
    return _end(process)


@contextmanager
def an_upgrade_stopped_midway(url: str) -> Iterator[Process]:
    """Every table is made and nothing committed, until it is killed."""
    with _running(_STOP_MIDWAY, url) as process:
        assert _line(process) == "midway"
        yield process


@contextmanager
def _running(program: str, url: str) -> Iterator[Process]:
    with subprocess.Popen(
        [sys.executable, "-c", program, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _line(process: Process) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _begin(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def _end(process: Process) -> str:
    printed, complaints = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 0, complaints
    return printed.strip()
