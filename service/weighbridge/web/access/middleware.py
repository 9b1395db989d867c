"""Before and after every request: who may ask, HEAD, and the security headers."""

import re
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from msgspec import Struct
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weighbridge.domain.access.roles import AccessToken, grants, presented_token
from weighbridge.errors import StoreError
from weighbridge.telemetry import Telemetry
from weighbridge.web.access.known_tokens import KnownTokens
from weighbridge.web.options import (
    SECURITY_HEADERS,
    Role,
    WebOptions,
    host_of,
    is_loopback,
)
from weighbridge.web.request.errors import Refusal, refusal_response
from weighbridge.web.request.route_matching import (
    METHODS,
    find_route,
    methods_of,
    template_of,
)
from weighbridge.web.request.threads import Threads


class AccessRules:
    """Decides on requests to one listener.

    1. On loopback the Host must be a loopback name: a page on another site that
       points its own name at 127.0.0.1 (DNS rebinding) gets 421.
    2. What writes must come from our own pages or from no page at all: a browser
       sends the password that it keeps for us with every site's requests.
    3. A role that everybody has here needs no token.
    4. No token and a wrong one get the same 401; one of a lesser role gets 403.
    """

    def __init__(
        self, options: WebOptions, tokens: KnownTokens, threads: Threads
    ) -> None:
        self._options = options
        self._tokens = tokens
        self._threads = threads

    def check_host(self, request: Request) -> None:
        """Raises Refusal(421)."""
        if self._options.wants_loopback_host and not _has_loopback_host(request):
            raise Refusal(
                421,
                "this service answers to loopback names only: open "
                f"http://{self._options.bind}/ on this machine, or say "
                "web.external_url to serve another name",
            )

    async def check(
        self, request: Request, needed: Role, *, writes: bool
    ) -> AccessToken | None:
        """The token that opened the door, None where none was needed.

        Raises Refusal(401, 403), StoreError.
        """
        if writes and not _is_from_here(request):
            raise Refusal(403, "this comes from another site's page", code="cross_site")
        if self._options.is_open(needed):
            return None
        token = await self._token(request)
        if token is None:
            raise Refusal(
                401,
                "this needs a token: send Authorization: Bearer TOKEN, or the token as "
                "the password of HTTP Basic",
            )
        role = "metrics" if needed == "probe" else needed
        if not grants(token.role, role):
            raise Refusal(403, f"this needs a token with the role {role}")
        return token

    async def _token(self, request: Request) -> AccessToken | None:
        sent = request.headers.getlist("authorization")
        text = presented_token(sent[0]) if len(sent) == 1 else None
        if text is None:
            return None
        if self._tokens.is_due:
            await self._threads.run(self._tokens.refresh)
        return self._tokens.find(text)


def _has_loopback_host(request: Request) -> bool:
    """Exactly one Host, and it names this machine."""
    hosts = request.headers.getlist("host")
    return len(hosts) == 1 and is_loopback(host_of(hosts[0]))


def _is_from_here(request: Request) -> bool:
    """Browsers since 2023 send Sec-Fetch-Site with everything, older ones Origin with
    what writes; other programs send neither."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    return "origin" not in request.headers


class Rights(Struct, frozen=True):
    """What the table of routes says of them.

    roles:    by method and path
    any_host: paths that are reached from other machines by whatever name. A page that
              has its own name point to this machine gains nothing there: it knows no
              secret, and a browser keeps none
    """

    roles: Mapping[tuple[str, str], Role]
    any_host: frozenset[str]

    def role_of(self, route: BaseRoute | None) -> Role:
        """The role that this route needs. Where there is no route there is nothing to
        guard: everybody gets the same 404."""
        if route is None:
            return "none"
        path = template_of(route)
        # A folder of files has no methods of its own.
        methods = methods_of(route) or {"GET"}
        found = {self.roles.get((method, path), "admin") for method in methods}
        return found.pop() if len(found) == 1 else "admin"

    def takes_any_host(self, route: BaseRoute | None) -> bool:
        """Whether it is answered whatever its Host says."""
        return template_of(route) in self.any_host


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
