"""Before and after every request: who may ask, HEAD, and the security headers."""

import re
import time
from typing import Final
from urllib.parse import unquote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weighbridge.errors import StoreError
from weighbridge.telemetry import Telemetry
from weighbridge.web.access.decision import AccessRules, Rights
from weighbridge.web.options import SECURITY_HEADERS
from weighbridge.web.request.errors import Refusal, refusal_response
from weighbridge.web.request.route_matching import METHODS, find_route, template_of

# No user: that part of a URL is for nobody but its client (RFC 9110 4.2.4).
_URL: Final = re.compile(rb"https?://(?P<host>[^/?#@\s]+)(?P<path>/.*)?", re.IGNORECASE)


def in_origin_form(scope: Scope) -> Scope:
    """The request as if it named a path alone (RFC 9112 3.2.2): the URL's host stands
    in place of what `Host` says. A target of any other form stays as it is."""
    if scope["path"].startswith("/"):
        return scope
    found = _URL.fullmatch(scope["raw_path"])
    if found is None:
        return scope
    raw_path = found["path"] or b"/"
    others = [pair for pair in scope["headers"] if pair[0] != b"host"]
    return {
        **scope,
        "raw_path": raw_path,
        "path": unquote(raw_path.decode("ascii")),
        "headers": [(b"host", found["host"]), *others],
    }


_READING: Final = ("GET", "HEAD")
ACTOR: Final = "weighbridge.actor"
"""Where a request's scope has the name of the token that opened the door."""


class AccessMiddleware:
    """The outermost part of an app.

    1. `AccessRules` says whether a request is answered, before anything of it is read.
    2. HEAD is GET without its body (RFC 9110 9.3.2), and a whole URL as the target is
       its path (RFC 9112 3.2.2).
    3. Every answer has the security headers; forwarded headers are never read.
    4. Every request is counted.
    """

    def __init__(
        self, app: ASGIApp, access: AccessRules, rights: Rights, telemetry: Telemetry
    ) -> None:
        self._app = app
        self._access = access
        self._rights = rights
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_head = scope["method"] == "HEAD"
        inner = dict(in_origin_form(scope))
        if is_head:
            inner["method"] = "GET"
        answer = _Answer(send, is_head)
        started = time.monotonic()
        route, takes_method = find_route(inner)
        writes = takes_method and scope["method"] not in _READING
        request = Request(inner)
        try:
            if not self._rights.takes_any_host(route):
                self._check_hosts(Request(scope), request)
            needed = self._rights.role_of(route)
            token = await self._access.check(request, needed, writes=writes)
            answer.is_private = token is not None
            inner[ACTOR] = token.name if token else ""
        except (Refusal, StoreError) as exc:
            await refusal_response(request, exc)(inner, receive, answer)
        else:
            await self._app(inner, receive, answer)
        finally:
            self._count(scope["method"], template_of(route), answer.status, started)

    def _check_hosts(self, sent: Request, read: Request) -> None:
        """The Host that is read from a target that is a whole URL, and one beside it
        that says something else: a browser decides on neither of the two alone."""
        self._access.check_host(read)
        if "host" in sent.headers:
            self._access.check_host(sent)

    def _count(self, method: str, route: str, status: int, started: float) -> None:
        """By the template of the route, never by its path: labels have a bound."""
        method = method if method in METHODS else "other"
        self._telemetry.http_requests.labels(method, route, str(status)).inc()
        duration = self._telemetry.http_request_duration.labels(route)
        duration.observe(time.monotonic() - started)


class _Answer:
    """A `send` that adds the headers and leaves out the body of a HEAD.

    is_private: whether it was a token that opened the door: nobody may keep a copy
    """

    def __init__(self, send: Send, is_head: bool) -> None:
        self._send = send
        self._is_head = is_head
        self.is_private = False
        self.status = 500  # what ends in an exception is answered so, further out

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            if self.is_private:
                headers["cache-control"] = "no-store"
        elif self._is_head and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)
