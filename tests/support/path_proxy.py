"""A proxy on loopback that puts several registries below paths of one host."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

_OWN = frozenset({"connection", "transfer-encoding", "content-length", "date"})


@dataclass(slots=True)
class PathProxy:
    """seen: path and `Authorization` of each request, "" for none
    queries: what followed these paths
    links: `Link` of the first 200 of these paths, in place of the registry's
    moved: where a GET of these paths is sent on to
    """

    port: int
    seen: list[tuple[str, str]] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def shown_below(self, prefix: str) -> set[str]:
        """What requests to these paths have shown."""
        return {shown for path, shown in self.seen if path.startswith(prefix)}


@contextmanager
def path_proxy(places: Mapping[str, str]) -> Iterator[PathProxy]:
    """places: of each prefix the URL that its paths are asked at, without the prefix"""
    with (
        httpx.Client(trust_env=False) as client,
        ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server,
    ):
        proxy = PathProxy(server.server_port)
        server.RequestHandlerClass = _handler(proxy, places, client)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()


def _handler(
    proxy: PathProxy, places: Mapping[str, str], client: httpx.Client
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            proxy.queries.append(query)
            proxy.seen.append((path, self.headers.get("Authorization", "")))
            if path in proxy.moved:
                self._answer(307, {"Location": proxy.moved[path]}, b"", 0)
                return
            prefix = next((p for p in places if path.startswith(f"{p}/")), None)
            if prefix is None:
                self._answer(404, {}, b"", 0)
                return
            asked = places[prefix] + self.path.removeprefix(prefix)
            answer = client.request(self.command, asked, headers=dict(self.headers))
            headers = {k: v for k, v in answer.headers.items() if k not in _OWN}
            if path in proxy.links and answer.status_code == 200:
                headers["link"] = proxy.links.pop(path)
            length = int(answer.headers.get("content-length", len(answer.content)))
            self._answer(answer.status_code, headers, answer.content, length)

        do_HEAD = do_GET

        def _answer(
            self, status: int, headers: Mapping[str, str], body: bytes, length: int
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: what was asked is in `seen`."""

    return Handler
