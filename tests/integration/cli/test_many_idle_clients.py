"""api-018 in full: five thousand idle connections and five hundred slow ones."""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Final

import httpx
import pytest

from support.missing import skip_or_fail
from support.serving import PLAIN, free_address
from support.wait import wait_in_thread
from support.weighbridge_up import weighbridge_up

IDLE, SLOW = 5_000, 500
FILES: Final = IDLE + SLOW + 200
HEAD_DEADLINE_S: Final = 10
ASKED: Final = 40

pytestmark = pytest.mark.slow


@pytest.fixture
def files() -> Iterator[None]:
    """As many open files as the clients need; the service sees to its own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        skip_or_fail(f"{FILES} open files are needed, and {hard} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "listener", ["web", pytest.param("metrics", marks=pytest.mark.long)]
)
@pytest.mark.usefixtures("files")
def test_health_is_answered_within_a_second_beside_5500_that_hold__api_018(
    tmp_path: Path, listener: str
) -> None:
    metrics = free_address()
    configuration = f'metrics: {{bind: "{metrics}"}}\n'
    with weighbridge_up(tmp_path / "up", configuration) as up, ExitStack() as stack:
        host, port = (metrics if listener == "metrics" else up.address).split(":")
        held = [
            stack.enter_context(socket.create_connection((host, int(port)), timeout=60))
            for _ in range(IDLE + SLOW)
        ]
        for connection in held[:SLOW]:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: ")

        took_s: list[float] = []
        while len(took_s) < ASKED and not any(map(is_closed, held[-10:])):
            took_s += map(seconds_of_health, (up.address, metrics))
        wait_in_thread(
            lambda: all(map(is_closed, held)),
            "all are closed",
            deadline_s=HEAD_DEADLINE_S * 6,
        )

        # Some of them may meet a moment in which the machine is busy with others.
        assert median(took_s) < 1
        assert seconds_of_health(up.address) < 30


def seconds_of_health(address: str) -> float:
    began = time.monotonic()
    answer = httpx.get(
        f"http://{address}/healthz", trust_env=False, verify=PLAIN, timeout=60
    )
    assert answer.status_code == 200
    return time.monotonic() - began
