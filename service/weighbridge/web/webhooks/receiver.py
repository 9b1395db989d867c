"""`POST /webhooks/{source}[/{secret}]`: the way of a request, in its order.

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
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from weighbridge.domain.access.roles import (
    Network,
    presented_token,
    sender_address,
    webhook_role,
)
from weighbridge.domain.webhook.sources.source_table import SOURCES
from weighbridge.domain.webhook.sources.source_table import read_body as parse_delivery
from weighbridge.domain.webhook.webhook_source import (
    SIGNATURE_HEADERS,
    USUAL_WAYS,
    ParsedDelivery,
    PushSeen,
    ShownSecret,
)
from weighbridge.errors import StoreError
from weighbridge.store.pushes.inbox import ReceivedPush
from weighbridge.telemetry import Telemetry
from weighbridge.web.access.known_tokens import KnownTokens
from weighbridge.web.request.bodies import Gone
from weighbridge.web.request.errors import Refusal, refusal_response
from weighbridge.web.request.threads import Threads
from weighbridge.web.webhooks.admission import (
    RETRY_AFTER_S,
    Admission,
    GivenUp,
    Strangers,
    read_body,
)
from weighbridge.web.webhooks.hooks import Hook, Hooks
from weighbridge.web.webhooks.inbox import Inbox

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
        told = parse_delivery(hook.source, body, shown.headers, hook.host)
        await self._keep(hook, told)
        return Response(status_code=202) if told.reply is None else _reply(told)

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


def _reply(told: ParsedDelivery) -> Response:
    return JSONResponse(dict(told.reply or {}))
