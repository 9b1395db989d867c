"""Webhooks over a real socket: lengths that lie, bodies without end, no secret told."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import uvicorn

from support.database import a_database
from support.fake_jobs import FakeJobs
from support.serving import free_address, log_of
from support.wait import PATIENCE_S, wait_in_thread
from support.web_app import create_app
from support.webhooks import SECRET, a_hook, a_push, body_of
from support.weighbridge_up import weighbridge_up
from weighbridge.config import Settings
from weighbridge.domain.text.printable import Secret
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions
from weighbridge.web.server.running import server_config
from weighbridge.web.webhooks.receiver import Reception

READ_S: Final = 0.5
HEAD: Final = (
    "POST /webhooks/distribution HTTP/1.1\r\nhost: 127.0.0.1\r\n"
    f"authorization: Bearer {SECRET}\r\n"
)


@dataclass(frozen=True, slots=True)
class Served:
    """A service as `up` has it, in a thread."""

    address: tuple[str, int]
    database: Database

    def send(self, raw: bytes) -> bytes:
        """Everything that is answered until the connection is closed."""
        with socket.create_connection(self.address, timeout=60) as connection:
            connection.sendall(raw)
            answer = b""
            while piece := connection.recv(65_536):
                answer += piece
            return answer


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with service(tmp_path, PATIENCE_S) as made:
        yield made


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Served]:
    with service(tmp_path, READ_S) as made:
        yield made


@contextmanager
def service(folder: Path, read_s: float) -> Iterator[Served]:
    """read_s: until a body must be there"""
    with a_database(folder) as database:
        app = create_app(
            database,
            Telemetry(),
            WebOptions(),
            Reception([a_hook()], FakeJobs(), read_s, PATIENCE_S),
        )
        settings = Settings(database_url=Secret("sqlite:///w.db"))
        server = uvicorn.Server(server_config(settings, app, "127.0.0.1:0"))
        listener = socket.create_server(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            wait_in_thread(lambda: server.started, "it serves")
            yield Served(listener.getsockname(), database)
        finally:
            server.should_exit = True
            thread.join(30)
            listener.close()


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_webhook_013_more_than_the_stated_length_is_another_request(
    served: Served,
) -> None:
    body = body_of(a_push())
    head = f"{HEAD}content-length: {len(body)}\r\n\r\n".encode()

    answer = served.send(head + body + b'{"events":[]}\r\n\r\n')

    statuses = [line[9:12] for line in answer.split(b"\r\n") if line[:5] == b"HTTP/"]
    assert statuses == [b"202", b"400"]


def test_webhook_013_less_than_the_stated_length_is_not_waited_for(
    hasty: Served,
) -> None:
    raw = f"{HEAD}content-length: 100\r\n\r\n".encode() + b"{"

    answer = hasty.send(raw)

    assert status_of(answer) == 408
    assert json.loads(answer.rpartition(b"\r\n\r\n")[2])["error"]["code"] == (
        "body_timeout"
    )


def test_webhook_013_chunks_without_end_are_not_waited_for(hasty: Served) -> None:
    raw = f"{HEAD}transfer-encoding: chunked\r\n\r\n".encode() + b"1\r\n{\r\n"

    assert status_of(hasty.send(raw)) == 408


def test_webhook_013_more_than_a_mebibyte_in_chunks_is_refused(
    served: Served,
) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    raw = f"{HEAD}transfer-encoding: chunked\r\n\r\n".encode() + chunk * 17

    assert status_of(served.send(raw)) == 413


@pytest.mark.parametrize("length", ["-1", "1,2", "x", "99999999999999999999999"])
def test_webhook_013_a_length_that_is_none_is_refused(
    served: Served, length: str
) -> None:
    answer = served.send(f"{HEAD}content-length: {length}\r\n\r\n".encode())

    assert status_of(answer) in (400, 413)


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD.replace("\r\n", "\n") + "\n",
        HEAD + "content-length: 0\r\nx-a: b\r\n c\r\n\r\n",
        HEAD + "transfer-encoding: chunked\r\n\r\n0\r\n\n",
        "GET / HTTP/1.1\r\nhost: localhost\r\nx: y\n\r\n",
    ],
)
def test_what_could_be_read_in_two_ways_is_400_and_the_end_of_the_connection(
    served: Served, raw: str
) -> None:
    behind = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"

    answer = served.send((raw + behind).encode())

    assert status_of(answer) == 400
    assert answer.count(b"HTTP/1.1 ") == 1


def test_the_secret_is_in_no_log_and_no_metric(tmp_path: Path) -> None:
    configuration = f"""\
registries: [{{name: quay, url: "http://{free_address()}", interval: 1d}}]
webhooks: [{{source: quay, registry: quay, secret: {SECRET}}}]
log_level: debug
"""
    body = json.dumps({"repository": "shop/api", "updated_tags": ["1"]}).encode()
    statuses = []
    with weighbridge_up(tmp_path, configuration) as up:
        host, _, port = up.address.rpartition(":")
        for path in (f"quay/{SECRET}", f"quay/{SECRET}x", f"quay?key={SECRET}"):
            with socket.create_connection((host, int(port)), timeout=60) as connection:
                connection.sendall(
                    f"POST /webhooks/{path} HTTP/1.1\r\nhost: {up.address}\r\n"
                    f"content-length: {len(body)}\r\n\r\n".encode()
                    + body
                )
                statuses.append(status_of(connection.recv(65_536)))
        metrics = up.get("/metrics")

    assert statuses == [202, 401, 202]
    assert 'route="/webhooks/{source}/{secret}"' in metrics
    assert SECRET not in metrics
    assert SECRET not in log_of(tmp_path)
