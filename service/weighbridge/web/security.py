"""Before and after every request: the Host rule, HEAD, and the security headers."""

import time
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weighbridge.telemetry import Telemetry
from weighbridge.web.errors import error_response
from weighbridge.web.options import (
    SECURITY_HEADERS,
    Role,
    WebOptions,
    host_of,
    is_loopback,
)

RIGHTS: Final[Mapping[str, Role]] = {
    "/healthz": "none",
    "/readyz": "none",
    "/static": "none",
    "/metrics": "metrics",
    "/metrics/repositories": "metrics",
    "/api/v1/openapi.json": "read",
    "/api/v1/registries": "read",
    "/api/v1/repositories": "read",
    "/api/v1/repository": "read",
    "/api/v1/tags": "read",
    "/api/v1/image": "read",
    "/api/v1/passes": "read",
    "/api/v1/passes/{pass_id}": "read",
    "/api/v1/search": "read",
    "/": "read",
    "/repositories.json": "read",
    "/repositories.csv": "read",
    "/repository": "read",
    "/repository.json": "read",
    "/repository.csv": "read",
    "/image": "read",
    "/image.json": "read",
    "/image.csv": "read",
    "/crawls": "read",
    "/crawls.json": "read",
    "/crawls.csv": "read",
    "/search": "read",
}
"""Who may read what. A route that is not here fails the tests. Every route reads;
`read` and `metrics` are granted on loopback and under `anonymous_read`, and
`options.check_reach` refuses to serve anything else until there are tokens."""


_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Gate:
    """The outermost part of the app.

    1. On loopback the Host must be a loopback name: a page on another site that
       points its own name at 127.0.0.1 (DNS rebinding) gets 421.
    2. HEAD is GET without its body (RFC 9110 9.3.2).
    3. Every answer has the security headers; forwarded headers are never read.
    4. Every request is counted.
    """

    def __init__(self, app: ASGIApp, options: WebOptions, telemetry: Telemetry) -> None:
        self._app = app
        self._options = options
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_head = scope["method"] == "HEAD"
        inner = {**scope, "method": "GET"} if is_head else dict(scope)
        answer = _Answer(send, is_head)
        started = time.monotonic()
        try:
            await self._serve(inner, receive, answer)
        finally:
            self._count(scope["method"], inner, answer.status, started)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        if self._options.wants_loopback_host and not _has_loopback_host(request):
            refusal = error_response(
                request,
                421,
                "misdirected_request",
                "this service answers to loopback names only: open "
                f"http://{self._options.bind}/ on this machine, or say "
                "web.external_url to serve another name",
            )
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _count(self, method: str, scope: Scope, status: int, started: float) -> None:
        """By the template of the route, never by its path: labels have a bound."""
        route = getattr(scope.get("route"), "path", "other")
        method = method if method in _METHODS else "other"
        self._telemetry.http_requests.labels(method, route, str(status)).inc()
        duration = self._telemetry.http_request_duration.labels(route)
        duration.observe(time.monotonic() - started)


def _has_loopback_host(request: Request) -> bool:
    """Exactly one Host, and it names this machine."""
    hosts = request.headers.getlist("host")
    return len(hosts) == 1 and is_loopback(host_of(hosts[0]))


class _Answer:
    """A `send` that adds the headers and leaves out the body of a HEAD."""

    def __init__(self, send: Send, is_head: bool) -> None:
        self._send = send
        self._is_head = is_head
        self.status = 500  # what ends in an exception is answered so, further out

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        elif self._is_head and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)
