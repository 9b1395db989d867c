"""Who may ask, and what: the tokens that are valid now, kept in memory so that no
request has to wait; and what is done before and after every request (access, HEAD, the
security headers).
"""

import hmac
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import unquote

import structlog
from msgspec import Struct
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weighbridge.domain.access.principal import ANYBODY, Principal, holder_of
from weighbridge.domain.access.roles import (
    AccessToken,
    could_be_token,
    digest_of,
    presented_token,
)
from weighbridge.errors import StoreError
from weighbridge.store.access import note_use, valid_tokens
from weighbridge.store.connection.deadlines import within
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import (
    SECURITY_HEADERS,
    Role,
    WebOptions,
    host_of,
    is_loopback,
)
from weighbridge.web.request.answers import (
    METHODS,
    Refusal,
    find_route,
    methods_of,
    refusal_response,
    template_of,
)
from weighbridge.web.request.principal import PRINCIPAL
from weighbridge.web.request.signing_in import SigningIn, in_no_team
from weighbridge.web.request.threads import DATABASE_S, Threads

KEPT_S: Final = 5.0
"""So long after it was revoked a token may still be taken."""
REFRESH_S: Final = 2.0
"""While the app is served: a request then never reads the table itself."""
UNANSWERED_S: Final = 600.0
"""So long the last known ones are taken while the database does not answer: metrics
that tell of it stay readable."""
NOTED_EVERY: Final = timedelta(minutes=1)


class KnownTokens:
    """Finds tokens by their text. Safe to share between threads.

    An unknown text costs no query, so nobody can keep the database busy with guesses.
    """

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._now = now
        self._clock = clock
        self._lock = threading.Lock()
        self._valid: Mapping[bytes, AccessToken] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self._is_watched = False
        self._used: dict[int, datetime] = {}
        self._noted: dict[int, datetime] = {}
        self._log = structlog.get_logger("weighbridge.access")

    @property
    def is_due(self) -> bool:
        """Whether a request is to see to it that the table is read: nobody has tried
        lately. While the app is served `watch` does, and a request only waits where
        nothing is known yet."""
        if self._read_at is not None and (self._is_watched or self._lock.locked()):
            return False
        return self._is_long_since(self._tried_at)

    def refresh(self) -> None:
        """Read the table, unless another thread does or has just done so.

        Only the first reading is waited for: a database that hangs would else hold
        one request after the other, until no thread is left for any.
        """
        wait_s = KEPT_S if self._read_at is None else 0
        if not self._lock.acquire(timeout=wait_s):
            return
        try:
            if self._is_long_since(self._tried_at):
                self._read()
        finally:
            self._lock.release()

    def find(self, text: str) -> AccessToken | None:
        """The valid token with this text; its use is noted. Compared with every one,
        so that the time says nothing.

        Raises StoreError(database_unavailable) where what is known is too old to be
        believed.
        """
        if not could_be_token(text):
            return None
        if self._is_long_since(self._read_at, UNANSWERED_S):
            raise StoreError(
                "the database has not answered for too long which tokens are valid",
                code="database_unavailable",
                retryable=True,
            )
        wanted = digest_of(text)
        now = self._now()
        found: AccessToken | None = None
        for sha256, token in self._valid.items():
            if hmac.compare_digest(sha256, wanted) and token.state(now) == "valid":
                found = token
        if found is not None:
            self._used[found.id] = now
        return found

    def watch(self, stop: threading.Event, every_s: float = REFRESH_S) -> None:
        """Refresh and note uses until told to stop; for a thread of its own."""
        self._is_watched = True
        try:
            while not stop.wait(every_s):
                with self._lock:
                    self._read()
                self.note_uses()
        finally:
            self._is_watched = False
        self.note_uses()

    def note_uses(self) -> None:
        """Keep when tokens were last used: each at most once a minute. What cannot be
        kept now is kept later."""
        for token_id, used_at in list(self._used.items()):
            noted = self._noted.get(token_id)
            if noted is not None and used_at - noted < NOTED_EVERY:
                continue
            try:
                with within(DATABASE_S), self._database.write() as connection:
                    note_use(connection, token_id, used_at, at_most=NOTED_EVERY)
            except StoreError as exc:
                self._log.debug("the use of a token was not noted", code=exc.code)
                return
            self._noted[token_id] = used_at

    def _is_long_since(self, moment: float | None, most_s: float = KEPT_S) -> bool:
        return moment is None or self._clock() - moment >= most_s

    def _read(self) -> None:
        """What cannot be read stays as it was."""
        begun = self._clock()
        with (
            suppress(StoreError),
            within(DATABASE_S),
            self._database.read() as connection,
        ):
            self._valid = valid_tokens(connection, self._now())
            self._read_at = begun
        self._tried_at = self._clock()


class AccessRules:
    """Decides on requests to one listener.

    1. On loopback the Host must be a loopback name: a page on another site that
       points its own name at 127.0.0.1 (DNS rebinding) gets 421.
    2. What writes must come from our own pages or from no page at all: a browser
       sends the password that it keeps for us with every site's requests.
    3. A role that everybody has here needs no token. One that is shown says all the
       same who it is, and whose repositories are shown.
    4. No token and a wrong one get the same 401; one of a lesser role gets 403.
    5. Who signed in at the proxy is named by its headers, from its address alone; that
       comes before any token.
    6. Whoever sees the repositories of some teams alone gets 403 from every route that
       does not say of itself that it shows no others.
    """

    def __init__(
        self,
        options: WebOptions,
        tokens: KnownTokens,
        threads: Threads,
        telemetry: Telemetry,
    ) -> None:
        self._signing_in = SigningIn(options, telemetry)
        self._options = options
        self._tokens = tokens
        self._threads = threads

    def check_host(self, request: Request) -> None:
        """Raises Refusal(421)."""
        if self._options.wants_loopback_host and not _has_loopback_host(request):
            raise Refusal(
                421,
                "this service answers to loopback names only: open "
                f"{request.url.scheme}://{self._options.bind}/ on this machine, or say "
                "web.external_url to serve another name",
            )

    async def check(
        self, request: Request, needed: Role, *, writes: bool, for_teams: bool
    ) -> Principal:
        """Who asks, `ANYBODY` where nobody need say it.

        for_teams: whether the route shows a team its own repositories and no others
        Raises Refusal(401, 403), StoreError.
        """
        if writes and not _is_from_here(request):
            raise Refusal(403, "this comes from another site's page", code="cross_site")
        if needed == "none":
            return ANYBODY
        role = "metrics" if needed == "probe" else needed
        is_open = self._options.is_open(needed)
        person = self._signing_in.find(request)
        if person is not None and person.teams is not None and not person.teams:
            raise in_no_team(person)
        found = person or await self._principal(request, is_open=is_open)
        if found is None or (is_open and not found.grants(role)):
            if is_open:
                return ANYBODY
            raise Refusal(
                401,
                "this needs a token: send Authorization: Bearer TOKEN, or the token as "
                "the password of HTTP Basic",
            )
        if found.teams is not None and not for_teams:
            raise Refusal(
                403,
                "this shows what all teams have: it is not for members of some teams, "
                "nor for a token of theirs",
            )
        if not found.grants(role):
            whom = "an admin" if found is person else f"a token with the role {role}"
            raise Refusal(403, f"this needs {whom}")
        return found

    async def _principal(self, request: Request, *, is_open: bool) -> Principal | None:
        """Who asks; None: it is not known. Raises StoreError where that matters."""
        try:
            token = await self._token(request)
        except StoreError:
            if is_open:
                return None
            raise
        return None if token is None else holder_of(token)

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
    for_teams: methods and paths that show a team its own repositories and no others
    any_host: paths that are reached from other machines by whatever name. A page that
              has its own name point to this machine gains nothing there: it knows no
              secret, and a browser keeps none
    """

    roles: Mapping[tuple[str, str], Role]
    any_host: frozenset[str]
    for_teams: frozenset[tuple[str, str]] = frozenset()

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

    def is_for_teams(self, route: BaseRoute | None) -> bool:
        """Whether it shows a team its own repositories and no others, by each of its
        methods. Where there is no route there is nothing to be seen."""
        if route is None:
            return True
        path = template_of(route)
        methods = methods_of(route)
        return bool(methods) and all((m, path) in self.for_teams for m in methods)

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
            principal = await self._access.check(
                request,
                needed,
                writes=writes,
                for_teams=self._rights.is_for_teams(route),
            )
            answer.is_private = principal.is_known
            inner[PRINCIPAL] = principal
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

    is_private: whether it is known who asks: nobody may keep a copy
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
