"""`weighbridge health` against servers on real sockets."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from weighbridge.cli.main import run


class _Answers(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/healthz" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def service(status: int) -> Iterator[str]:
    """Something that answers `/healthz` with `status`."""
    handler = type("Handler", (_Answers,), {"status": status})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_service_that_answers_is_alive(capsys: pytest.CaptureFixture[str]) -> None:
    with service(200) as url:
        assert run(["health", "--url", f"{url}/"]) == 0

    assert capsys.readouterr().out == f"alive: {url}\n"


def test_a_service_that_is_configured_elsewhere_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with service(200) as url:
        monkeypatch.setenv("WEIGHBRIDGE_BIND", url.removeprefix("http://"))

        assert run(["health"]) == 0


def test_a_service_that_answers_with_an_error_is_not_alive(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with service(503) as url:
        assert run(["health", "--url", url]) == 1

    assert capsys.readouterr().err == f"not alive: {url}/healthz answers with 503\n"


def test_a_service_that_is_gone_is_not_alive(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]

    assert run(["health", "--url", f"http://127.0.0.1:{port}"]) == 1

    assert "nothing listens there" in capsys.readouterr().err
