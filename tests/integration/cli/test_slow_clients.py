"""api-018: clients that hold connections and send nothing, or a byte now and then."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import uvicorn

from support.database import a_database
from support.serving import PLAIN
from support.wait import wait_in_thread
from support.web_app import create_app
from weighbridge.config import Settings
from weighbridge.domain.text.printable import Secret
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions
from weighbridge.web.server.early_refusal import HeadDeadline
from weighbridge.web.server.running import server_config

IDLE, SLOW = 1000, 250
HEAD_S = 2.0


class Hasty(HeadDeadline):
    """A tenth of the patience, so that nobody waits for a test."""

    head_s = HEAD_S


@pytest.fixture
def address(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A service with the configuration that `up` gives it, in a thread."""
    with a_database(tmp_path) as database:
        app = create_app(database, Telemetry(), WebOptions())
        settings = Settings(database_url=Secret("sqlite:///w.db"))
        config = server_config(settings, app, "127.0.0.1:0")
        assert config.http is HeadDeadline
        config.http = Hasty
        server = uvicorn.Server(config)
        listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            wait_in_thread(lambda: server.started, "it serves")
            yield listener.getsockname()
        finally:
            server.should_exit = True
            thread.join(30)
            listener.close()


def is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_health_is_answered_beside_a_thousand_that_only_hold__api_018(
    address: tuple[str, int],
) -> None:
    with ExitStack() as stack:
        held = [
            stack.enter_context(socket.create_connection(address, timeout=30))
            for _ in range(IDLE + SLOW)
        ]
        for connection in held[:SLOW]:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: ")

        answer = httpx.get(
            f"http://127.0.0.1:{address[1]}/healthz",
            trust_env=False,
            verify=PLAIN,
            timeout=30,
        )

        assert answer.status_code == 200
        wait_in_thread(lambda: all(map(is_closed, held)), "all are closed")


def test_a_byte_now_and_then_does_not_keep_a_connection__api_018(
    address: tuple[str, int],
) -> None:
    started = time.monotonic()
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")

        def has_ended() -> bool:
            with contextlib.suppress(BlockingIOError, OSError):
                connection.send(b"a")
            return is_closed(connection)

        wait_in_thread(has_ended, "it is closed")

    assert time.monotonic() - started > HEAD_S / 2


def test_a_kept_connection_may_ask_again_later(address: tuple[str, int]) -> None:
    url = f"http://127.0.0.1:{address[1]}/healthz"
    with httpx.Client(trust_env=False, verify=PLAIN) as client:
        first = client.get(url)
        ends_at = time.monotonic() + HEAD_S * 1.5
        wait_in_thread(lambda: time.monotonic() > ends_at, "a while")
        again = client.get(url)

    assert (first.status_code, again.status_code) == (200, 200)
