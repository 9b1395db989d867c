"""What is said to the service manager, over a socket of the test's own."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from weighbridge.config import load_policies
from weighbridge.engine.judge.policy_reload import PolicyReload
from weighbridge.jobs.worker_processes import WorkerProcesses
from weighbridge.service_manager import ServiceManager
from weighbridge.telemetry import Telemetry


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    """Where systemd listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(5)
        yield receiver


def said(receiver: socket.socket) -> list[str]:
    """All that was said until now."""
    texts: list[str] = []
    receiver.setblocking(False)
    try:
        while True:
            texts.append(receiver.recv(4096).decode())
    except BlockingIOError:
        return texts


def manager(receiver: socket.socket, **more: str) -> ServiceManager:
    return ServiceManager({"NOTIFY_SOCKET": str(receiver.getsockname()), **more})


def test_a_process_is_ready_once(heard: socket.socket) -> None:
    started_by = manager(heard)

    started_by.ready()
    started_by.ready()

    assert said(heard) == ["READY=1"]


def test_an_abstract_socket_is_found_by_its_name() -> None:
    name = f"weighbridge-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0{name}")

        ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).stopping()

        assert said(receiver) == ["STOPPING=1"]


@pytest.mark.parametrize("name", ["", "vsock:2:1234", "/nowhere/at/all", "relative"])
def test_a_socket_that_cannot_be_reached_is_no_error(name: str) -> None:
    nobody = ServiceManager({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3"})

    nobody.ready()
    nobody.alive()
    with nobody.reloading():
        pass
    nobody.stopping()


def test_a_sign_of_life_is_given_thrice_in_the_time_however_often_asked(
    heard: socket.socket,
) -> None:
    watched = manager(heard, WATCHDOG_USEC="600000", WATCHDOG_PID=str(os.getpid()))
    began = time.monotonic()

    while time.monotonic() - began < 0.5:
        watched.alive()

    assert said(heard) == ["WATCHDOG=1"] * 3


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "3", "WATCHDOG_PID": "1"},
    ],
)
def test_a_process_that_is_not_watched_gives_no_sign(
    heard: socket.socket, more: dict[str, str]
) -> None:
    manager(heard, **more).alive()

    assert said(heard) == []


def test_what_is_read_again_is_said_with_the_time_of_the_machines_clock(
    heard: socket.socket,
) -> None:
    started_by = manager(heard)
    started_by.ready()
    before = time.monotonic_ns() // 1_000

    with started_by.reloading():
        reloading = said(heard)

    assert reloading[0] == "READY=1"
    state, _, when = reloading[1].partition("\n")
    assert state == "RELOADING=1"
    assert before <= int(when.removeprefix("MONOTONIC_USEC=")) <= before + 5_000_000
    assert said(heard) == ["READY=1"]


def test_what_is_read_again_does_not_make_a_starting_process_ready(
    heard: socket.socket,
) -> None:
    started_by = manager(heard)

    with started_by.reloading():
        pass

    assert said(heard) == []


def test_a_process_that_stops_meanwhile_is_not_ready_again(
    heard: socket.socket,
) -> None:
    started_by = manager(heard)
    started_by.ready()

    with started_by.reloading():
        started_by.stopping()

    assert said(heard)[-1] == "STOPPING=1"


def test_policies_that_are_wrong_end_the_reload_too(
    heard: socket.socket, tmp_path: Path
) -> None:
    file = tmp_path / "weighbridge.yaml"
    file.write_text("policies: []\n")
    started_by = manager(heard)
    started_by.ready()
    source = load_policies(str(file), {})
    reload = PolicyReload(source, Telemetry(), manager=started_by, poll_s=3600)
    file.write_text("policies: [{name: 3}]\n")

    reload.start()
    reload.wake(signal.SIGHUP)

    assert heard.recv(4096) == b"READY=1"
    assert heard.recv(4096).startswith(b"RELOADING=1\n")
    assert heard.recv(4096) == b"READY=1"
    assert reload.failed_since() is not None
    reload.close()


def test_a_worker_is_ready_once_its_processes_were_started_and_says_that_it_stops(
    heard: socket.socket,
) -> None:
    started_by = manager(heard, WATCHDOG_USEC="600000")
    # The only process of it ends us as soon as it runs.
    command = ["sh", "-c", f"kill -TERM {os.getpid()}; exec sleep 60"]
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    try:
        code = WorkerProcesses([command], manager=started_by).run(os.environ)
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])

    assert code == 0
    spoken = said(heard)
    assert spoken[:2] == ["READY=1", "WATCHDOG=1"]
    assert spoken[-1] == "STOPPING=1"
