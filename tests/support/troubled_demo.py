"""The demo's registry, of which some repositories fail from a moment on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from weighbridge.demo.http.server import answer
from weighbridge.demo.story import demo_content

_DENIED = b'{"errors": [{"code": "DENIED", "message": "no"}]}'


@dataclass(slots=True)
class TroubledDemo:
    """
    is_troubled: `data/etl` is denied; `library/node` and `shop/api` are not there any
                 more, though the catalog has the second; `ml/notebook` is cut off; of
                 `library/python` HEAD of the tags of 3.7 is answered 500
    """

    address: str = ""
    is_troubled: bool = False

    def status(self, method: str, path: str) -> int | None:
        """What is answered in place of the demo's answer; 0: nothing."""
        if not self.is_troubled:
            return None
        parts = {
            "data/etl/": 403,
            "library/node/": 404,
            "shop/api/": 404,
            "ml/notebook/": 0,
        }
        if method == "HEAD":
            parts["library/python/manifests/3.7"] = 500
        return next(
            (s for part, s in parts.items() if path.startswith(f"/v2/{part}")), None
        )


@contextmanager
def troubled_demo() -> Iterator[TroubledDemo]:
    """Until the block ends; well at first."""
    demo, content = TroubledDemo(), demo_content()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status = demo.status(self.command, self.path)
            if status == 0:
                self.close_connection = True
                return
            fields = {name.lower(): value for name, value in self.headers.items()}
            path = self.path
            if status == 404:
                path = "/v2/nobody/tags/list"
            reply = answer(content, self.command, path, fields)
            headers, body = dict(reply.headers), reply.body
            if reply.blob is not None:
                body = reply.blob.read(reply.first, reply.last)
            if status in (403, 500):
                headers, body = {}, _DENIED if status == 403 else b"{}"
            elif path.startswith("/v2/_catalog") and demo.is_troubled:
                body = body.replace(b'"library/node",', b"")
            self.send_response(status or reply.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        demo.address = f"127.0.0.1:{server.server_port}"
        try:
            yield demo
        finally:
            server.shutdown()
            thread.join()
