"""`POST /webhooks/{source}[/{secret}]`: the senders that are configured, and the way of
a request, in its order.

1. Who sends it? By its head (a secret, or a token of the role `webhook:SOURCE`), or by
   a signature over its body. Before that is known
   nothing of the body is parsed, and only what may be signed is read at all. A
   stranger gets 401.
2. The sender's adapter says which tags were pushed.
3. They are committed; then the sender gets its 2xx.

Whoever is known gets a 2xx for everything that can be read: after any other answer a
distribution sends the same event again for ever, and none of those behind it. What is
useless is counted.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

import structlog
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from weighbridge.domain.access.roles import (
    Network,
    presented_token,
    sender_address,
    webhook_role,
)
from weighbridge.domain.text.printable import Secret
from weighbridge.domain.webhook.sources.source_table import SOURCES
from weighbridge.domain.webhook.sources.source_table import read_body as parse_delivery
from weighbridge.domain.webhook.webhook_source import (
    SIGNATURE_HEADERS,
    USUAL_WAYS,
    ParsedDelivery,
    PushSeen,
    SecretKey,
    ShownSecret,
    shown_digests,
)
from weighbridge.errors import ConfigError, StoreError
from weighbridge.ports.protocols import JobQueue
from weighbridge.store.pushes.inbox import ReceivedPush
from weighbridge.telemetry import Telemetry
from weighbridge.web.request.access import KnownTokens
from weighbridge.web.request.answers import Refusal, refusal_response
from weighbridge.web.request.bodies import READ_S, Gone
from weighbridge.web.request.threads import Threads
from weighbridge.web.webhooks.inbox import (
    ANSWER_S,
    RETRY_AFTER_S,
    Admission,
    GivenUp,
    Inbox,
    Strangers,
    read_body,
)

LOOKED_AT_S: Final = 2.0
"""So often at most it is looked whether a file of secrets has changed."""


class Hook(Struct, frozen=True):
    """One sender, and the registry that it speaks for.

    host:     of the registry, `host[:port]`
    prefix:   of its paths, "" for none
    secrets:  all that are valid now, read anew; raises ConfigError
    files:    those that hold secrets: once one of them changes, they are read anew
    is_ours:  whether this repository, and this tag of it, are handled at all
    """

    source: str
    registry: str
    host: str
    secrets: Callable[[], Sequence[Secret]]
    files: Sequence[Path] = ()
    is_ours: Callable[[PushSeen], bool] = lambda _: True
    prefix: str = ""


class Reception(Struct, frozen=True):
    """Who may tell of pushes, and who is asked to handle them; None: whoever finds
    that they wait.

    read_s:   how long a body may take to come
    answer_s: how long it may take to be kept
    """

    hooks: Sequence[Hook] = ()
    jobs: JobQueue | None = None
    read_s: float = READ_S
    answer_s: float = ANSWER_S


NOBODY: Final = Reception()


class _Known:
    """A hook with its keys, which follow its files."""

    def __init__(self, hook: Hook, clock: Callable[[], float]) -> None:
        self.hook = hook
        self._clock = clock
        self._log = structlog.get_logger("weighbridge.webhooks")
        self._marks = _marks_of(hook.files)
        self._looked_at = clock()
        self._keys = [SecretKey(secret.reveal()) for secret in hook.secrets()]

    @property
    def keys(self) -> Sequence[SecretKey]:
        """While a file cannot be read, those that were valid before."""
        if self.hook.files and self._clock() - self._looked_at >= LOOKED_AT_S:
            self._looked_at = self._clock()
            marks = _marks_of(self.hook.files)
            if marks != self._marks:
                self._marks = marks
                self._read()
        return self._keys

    def _read(self) -> None:
        try:
            self._keys = [SecretKey(secret.reveal()) for secret in self.hook.secrets()]
        except ConfigError as exc:
            self._log.warning(
                "a webhook's secret cannot be read; the last one stays valid",
                source=self.hook.source,
                registry=self.hook.registry,
                why=exc.message,
            )


class Hooks:
    """Finds the sender of a request. Every key of the source is compared each time,
    so that the time says nothing of which one was nearly right."""

    def __init__(
        self, hooks: Iterable[Hook], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._by_source: dict[str, list[_Known]] = {}
        for hook in hooks:
            known = self._by_source.setdefault(hook.source, [])
            known.append(_Known(hook, clock))

    @property
    def sources(self) -> Sequence[str]:
        return sorted(self._by_source)

    def find(self, shown: ShownSecret) -> Hook | None:
        """By what the request shows in its head."""
        digests = shown_digests(shown)
        return self._first(shown, lambda key: key.is_shown(digests))

    def find_signer(self, shown: ShownSecret, body: bytes) -> Hook | None:
        """By a signature over its body."""
        return self._first(shown, lambda key: key.has_signed(shown, body))

    def find_only(self, source: str) -> Hook | None:
        """The hook of a source that has one and no more: a token names the source, and
        no registry."""
        known = self._by_source.get(source, ())
        return known[0].hook if len(known) == 1 else None

    def _first(
        self, shown: ShownSecret, fits: Callable[[SecretKey], bool]
    ) -> Hook | None:
        found = [
            known.hook
            for known in self._by_source.get(shown.source, ())
            # A list: each key is compared, the first that fits among them.
            if any([fits(key) for key in known.keys])
        ]
        return found[0] if found else None


def _marks_of(files: Iterable[Path]) -> list[tuple[int, int, int]]:
    """What changes when a file is written or replaced."""
    marks = []
    for path in files:
        try:
            found = path.stat()
        except OSError:
            marks.append((0, 0, 0))
        else:
            marks.append((found.st_mtime_ns, found.st_size, found.st_ino))
    return marks


_HEADERS: Final = frozenset(
    name.encode("ascii")
    for name in (
        *SIGNATURE_HEADERS,
        "authorization",
        "webhook-id",
        "webhook-timestamp",
        "content-length",
        "content-encoding",
        *(name for sender in SOURCES.values() for name in sender.headers),
        *(sender.secret_ways.header for sender in SOURCES.values()),
    )
    if name
)
"""All of it that is read."""
_REASONS: Final[Mapping[int, str]] = {
    401: "bad_signature",
    408: "unreadable",
    413: "unreadable",
    415: "unreadable",
    503: "overload",
}
_CLOSING: Final = (408, 413, 415)
"""What of the body is still to come is not read."""


class WebhookReceiver:
    """The endpoint of every webhook."""

    def __init__(
        self,
        hooks: Hooks,
        inbox: Inbox,
        telemetry: Telemetry,
        tokens: KnownTokens,
        read_s: float,
        trusted_proxies: Sequence[Network] = (),
        *,
        threads: Threads,
    ) -> None:
        self._threads = threads
        self._trusted_proxies = trusted_proxies
        self._hooks = hooks
        self._tokens = tokens
        self._inbox = inbox
        self._telemetry = telemetry
        self._read_s = read_s
        self._room = Admission()
        self._strangers = {source: Strangers() for source in hooks.sources}
        for source in hooks.sources:
            telemetry.begin_webhook(source)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shown = _shown(scope)
        try:
            answer = await self._received(shown, scope, receive)
        except (Refusal, StoreError) as exc:
            answer = self._refused(shown.source, Request(scope), exc)
        except Gone:
            return
        await answer(scope, receive, send)

    async def _received(
        self, shown: ShownSecret, scope: Scope, receive: Receive
    ) -> Response:
        if shown.source not in self._strangers:
            raise Refusal(404, "no webhook of this source is configured")
        hook = self._hooks.find(shown) or await self._find_by_token(shown)
        if hook is None:
            hook, body = await self._find_signer(shown, scope, receive)
            with self._room.enter():
                return await self._taken(hook, shown, body)
        with self._room.enter() as room:
            body = await read_body(shown.headers, receive, room, self._read_s)
            return await self._taken(hook, shown, body)

    async def _find_signer(
        self, shown: ShownSecret, scope: Scope, receive: Receive
    ) -> tuple[Hook, bytes]:
        """By a body that comes in a place for strangers. Raises Refusal, Gone."""
        if not shown.is_signed:
            raise _stranger()
        address = _address_of(scope, self._trusted_proxies)
        async with self._strangers[shown.source].enter(address) as place:
            body = await read_body(shown.headers, receive, place, self._read_s)
        hook = self._hooks.find_signer(shown, body)
        if hook is None:
            raise _stranger()
        return hook, body

    async def _taken(self, hook: Hook, shown: ShownSecret, body: bytes) -> Response:
        self._telemetry.webhook_events.labels(hook.source).inc()
        told = parse_delivery(hook.source, body, shown.headers, hook.host, hook.prefix)
        await self._keep(hook, told)
        if told.reply is None:
            return Response(status_code=202)
        return JSONResponse(dict(told.reply))

    async def _find_by_token(self, shown: ShownSecret) -> Hook | None:
        """A token of the role `webhook:SOURCE` opens this source and nothing else.
        Raises Refusal(403), StoreError."""
        text = presented_token(shown.headers.get("authorization", ""))
        if text is None:
            return None
        if self._tokens.is_due:
            await self._threads.run(self._tokens.refresh)
        token = self._tokens.find(text)
        if token is None or token.role != webhook_role(shown.source):
            return None
        hook = self._hooks.find_only(shown.source)
        if hook is None:
            raise Refusal(
                403,
                "several registries have webhooks of this source, and a token does not "
                "say which one sends: send the secret of its entry in `webhooks`",
            )
        return hook

    async def _keep(self, hook: Hook, told: ParsedDelivery) -> None:
        for reason, count in Counter(told.useless).items():
            self._reject(hook.source, reason, count)
        wanted: list[PushSeen] = []
        for push in told.pushes:
            if hook.is_ours(push):
                wanted.append(push)
            else:
                self._reject(hook.source, "ignored")
        if not wanted:
            return
        received = [ReceivedPush(hook.registry, hook.source, push) for push in wanted]
        for is_new in await self._inbox.keep(received):
            if not is_new:
                self._reject(hook.source, "duplicate")

    def _refused(
        self, source: str, request: Request, exc: Refusal | StoreError
    ) -> Response:
        status = exc.status if isinstance(exc, Refusal) else 503
        if status in _REASONS:
            is_stored = isinstance(exc, StoreError)
            self._reject(source, "unavailable" if is_stored else _REASONS[status])
        answer = refusal_response(request, exc)
        if status == 503:
            answer.headers["retry-after"] = str(RETRY_AFTER_S)
        if status in _CLOSING or isinstance(exc, GivenUp):
            answer.headers["connection"] = "close"
        return answer

    def _reject(self, source: str, why: str, count: int = 1) -> None:
        self._telemetry.webhook_rejections.labels(source, why).inc(count)


def _shown(scope: Scope) -> ShownSecret:
    path: Mapping[str, str] = scope["path_params"]
    sender = SOURCES.get(path["source"])
    return ShownSecret(
        source=path["source"],
        ways=USUAL_WAYS if sender is None else sender.secret_ways,
        headers=_headers(scope),
        path=path.get("secret", ""),
        query=_key_of(scope["query_string"]),
        now_s=time.time(),
    )


def _address_of(scope: Scope, trusted_proxies: Sequence[Network]) -> str:
    forwarded = [
        value.decode("latin-1")
        for name, value in scope["headers"]
        if name == b"x-forwarded-for"
    ]
    peer = scope.get("client")
    return sender_address(peer[0] if peer else "", forwarded, trusted_proxies)


def _key_of(query: bytes) -> str:
    """The one `key`; what else there is, the sender may have added."""
    if not query:
        return ""
    try:
        fields = parse_qs(query.decode("latin-1"), max_num_fields=8)
    except ValueError:
        return ""
    keys = fields.get("key", [])
    return keys[0] if len(keys) == 1 else ""


def _headers(scope: Scope) -> dict[str, str]:
    """Those that are read. One that came twice says nothing."""
    found: dict[str, str] = {}
    repeated: set[str] = set()
    for raw, value in scope["headers"]:
        if raw in _HEADERS:
            name = raw.decode("ascii")
            if name in found:
                repeated.add(name)
            found[name] = value.decode("latin-1")
    return {name: found[name] for name in found if name not in repeated}


def _stranger() -> Refusal:
    return Refusal(401, "no secret of this source was sent", code="bad_signature")
