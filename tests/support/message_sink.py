"""A webhook's receiver on a real socket, with a switch for what is wrong with it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

Fault: TypeAlias = Callable[[], int]
"""What is done once a message has come whole; the status that it is answered with."""


def ok() -> int:
    """No fault."""
    return 200


def broken() -> int:
    """Of the receiver's own making."""
    return 500


def slow(seconds: float) -> Fault:
    """Answers only after a while."""

    def wait() -> int:
        time.sleep(seconds)
        return 200

    return wait


@dataclass(slots=True)
class Received:
    """One message as it came, and when.

    status: what it was answered with, 0 where it was not yet
    """

    at: float
    fields: dict[str, str]
    raw: bytes
    status: int = 0

    @property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.raw)  # JSON of whatever form
        return found

    @property
    def key(self) -> str:
        return self.fields["webhook-id"]

    @property
    def items(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.body["items"]
        return found


@dataclass(slots=True)
class MessageSink:
    """What came, in its order; `fault` decides what becomes of the next message, `says`
    is the text of each answer."""

    port: int = 0
    fault: Fault = ok
    says: bytes = b""
    received: list[Received] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def taken(self) -> list[Received]:
        """Those of which it said that it has them."""
        return [one for one in self.received if one.status == 200]


@contextmanager
def message_sink(port: int = 0) -> Iterator[MessageSink]:
    """A receiver on loopback until the block ends."""
    sink = MessageSink()

    class Hook(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the messages are kept."""

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            fields = {name.lower(): value for name, value in self.headers.items()}
            message = Received(time.time(), fields, raw)
            sink.received.append(message)
            message.status = sink.fault()
            # Whoever sent it may be gone by now.
            with suppress(OSError):
                self.send_response(message.status)
                self.send_header("Content-Length", str(len(sink.says)))
                self.end_headers()
                self.wfile.write(sink.says)

    server = ThreadingHTTPServer(("127.0.0.1", port), Hook)
    sink.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
