"""Three hundred connections that claim to sign and send nothing, and the sender."""

import hashlib
import hmac
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Final

import pytest
import uvicorn

from support.database import a_database
from support.fake_jobs import FakeJobs
from support.wait import PATIENCE_S, wait_in_thread
from support.web_app import create_app
from support.webhooks import SECRET, a_hook
from weighbridge.config import Settings
from weighbridge.domain.text.printable import Secret
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions
from weighbridge.web.server.running import server_config
from weighbridge.web.webhooks.receiver import Reception

STRANGERS: Final = 300
BODY: Final = b'{"action":"ping"}'
NOBODY: Final = "0" * 64


@contextmanager
def service(folder: Path, options: WebOptions) -> Iterator[int]:
    """As `up` has it; its port."""
    with a_database(folder) as database:
        # The strangers' time is not over before the test is.
        reception = Reception([a_hook("ghcr")], FakeJobs(), PATIENCE_S, PATIENCE_S)
        app = create_app(database, Telemetry(), options, reception)
        settings = Settings(database_url=Secret("sqlite:///w.db"))
        server = uvicorn.Server(server_config(settings, app, "127.0.0.1:0"))
        listener = socket.create_server(("127.0.0.1", 0), backlog=1_024)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            wait_in_thread(lambda: server.started, "it serves")
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(30)
            listener.close()


def connected(port: int, source: str, head: bytes) -> socket.socket:
    """A connection from this address of loopback that has sent so much."""
    connection = socket.create_connection(
        ("127.0.0.1", port), timeout=60, source_address=(source, 0)
    )
    connection.sendall(head)
    return connection


def head(signature: str, forwarded_for: str = "") -> bytes:
    more = f"x-forwarded-for: {forwarded_for}\r\n" if forwarded_for else ""
    return (
        "POST /webhooks/ghcr HTTP/1.1\r\nhost: x\r\nx-github-event: ping\r\n"
        f"x-hub-signature-256: sha256={signature}\r\n{more}"
        f"content-length: {len(BODY)}\r\n\r\n"
    ).encode()


def signature() -> str:
    return hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()


def status(connection: socket.socket) -> int:
    return int(connection.recv(65_536)[9:12])


def stall(
    stack: ExitStack, port: int, sources: list[str], forwarded_for: str = ""
) -> None:
    for number in range(STRANGERS):
        source = sources[number % len(sources)]
        sent = head(NOBODY, forwarded_for)
        stack.enter_context(connected(port, source, sent))


@pytest.mark.parametrize("addresses", [1, 200])
def test_the_real_sender_is_taken_thirty_times_of_thirty(
    tmp_path: Path, addresses: int
) -> None:
    sources = [f"127.0.0.{2 + number}" for number in range(addresses)]
    with service(tmp_path, WebOptions()) as port, ExitStack() as stack:
        stall(stack, port, sources)

        answers = []
        for _ in range(30):
            with connected(port, "127.0.0.1", head(signature()) + BODY) as sender:
                answers.append(status(sender))

    assert answers == [202] * 30


def test_an_address_with_fewer_places_keeps_its_own_though_its_body_is_late(
    tmp_path: Path,
) -> None:
    with service(tmp_path, WebOptions()) as port, ExitStack() as stack:
        sender = stack.enter_context(connected(port, "127.0.0.1", head(signature())))
        stall(stack, port, ["127.0.0.2", "127.0.0.3"])

        sender.sendall(BODY)

        assert status(sender) == 202


def test_behind_a_trusted_proxy_it_is_the_forwarded_address_that_counts(
    tmp_path: Path,
) -> None:
    trusting = WebOptions(
        anonymous_read=True, trusted_proxies=(ip_network("127.0.0.1/32"),)
    )
    with service(tmp_path, trusting) as port, ExitStack() as stack:
        late = head(signature(), "203.0.113.7")
        sender = stack.enter_context(connected(port, "127.0.0.1", late))
        # What a stranger writes into the header itself helps nobody.
        forged = "203.0.113.7, 198.51.100.66"
        stall(stack, port, ["127.0.0.1"], forwarded_for=forged)

        sender.sendall(BODY)

        assert status(sender) == 202
