"""Messages as JSON to any address, `weighbridge.notification/1`, signed as
standard-webhooks.com says.

Keys are never left out and never change their meaning: what is not known is null, and
bytes are integers.
"""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, TypeAlias

from weighbridge.domain.growth.cause import Cause, LineChange
from weighbridge.domain.message.grouping import Message, ViolationNotice
from weighbridge.domain.policy.quantity import unit_of
from weighbridge.errors import ConfigError
from weighbridge.notify.post import MessageReceiver, ReceiverNotifier, unreadable
from weighbridge.notify.render.content import content_of, fitting, repositories_by_cause


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: HMAC-SHA256 over id, time and body."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.digest(key, signed, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


class WebhookNotifier(ReceiverNotifier):
    """A Notifier. `webhook-id` is the message's key, so that a receiver which has seen
    it already can tell.

    key: reads the key that signs as it is now; None: messages are not signed
    """

    def __init__(
        self,
        receiver: MessageReceiver,
        key: Callable[[], bytes | None],
    ) -> None:
        super().__init__(receiver)
        self._key = key

    async def send(self, message: Message) -> None:
        """Raises NotifyError."""
        body = webhook_body(message)
        # Of this attempt: receivers refuse what was signed minutes ago.
        timestamp = int(datetime.now(UTC).timestamp())
        headers = [("webhook-id", message.key), ("webhook-timestamp", str(timestamp))]
        try:
            key = await asyncio.to_thread(self._key)
        except ConfigError as exc:
            raise unreadable(self.name, exc) from exc
        if key is not None:
            signed = signature(key, message.key, timestamp, body)
            headers.append(("webhook-signature", signed))
        await self._receiver.post(body, headers)


JSON: TypeAlias = Mapping[str, object]

SCHEMA: Final = "weighbridge.notification/1"
BODY_BYTES: Final = 128 * 1024
ITEMS: Final = 200
TEXT_CHARACTERS: Final = 1_024
"""Of one line, or of a name."""
_FRAME_BYTES: Final = 4_096


def webhook_body(message: Message) -> bytes:
    """The body of a request; the same message is the same bytes."""
    sharing = repositories_by_cause(message.items)
    items = [_item(notice, sharing) for notice in message.items]
    room = BODY_BYTES - _FRAME_BYTES
    shown, hidden = fitting(items, room, ITEMS, lambda item: len(_encoded(item)) + 1)
    return _encoded(
        {
            "schema": SCHEMA,
            "key": _text(message.key),
            "sent_at": _moment(message.sent_at),
            "is_test": message.is_test,
            "headline": content_of(message).headline,
            "group": _text(message.group),
            "items": shown,
            "more": message.more + hidden,
        }
    )


def _item(notice: ViolationNotice, sharing: Mapping[bytes, int]) -> JSON:
    return {
        "violation_id": notice.violation_id,
        "event": notice.event,
        "registry": _text(notice.registry),
        "repository": _text(notice.repository),
        "tag": _text(notice.tag) or None,
        "digest": None if notice.digest is None else str(notice.digest),
        "platform": _text(notice.platform) or None,
        "policy": _text(notice.policy),
        "team": None if notice.team is None else _text(notice.team),
        "severity": notice.severity,
        "limit": notice.limit_key,
        "unit": unit_of(notice.limit_key),
        "limit_amount": notice.limit_amount,
        "amount": notice.amount,
        "compressed_bytes": notice.compressed_bytes,
        "compressed_confidence": notice.compressed_confidence,
        "uncompressed_bytes": notice.uncompressed_bytes,
        "before_compressed_bytes": notice.before_compressed_bytes,
        "baseline_compressed_bytes": notice.baseline_compressed_bytes,
        "cause": None if notice.cause is None else _cause(notice.cause, sharing),
        "opened_at": _moment(notice.opened_at),
        "closed_at": None if notice.closed_at is None else _moment(notice.closed_at),
        "closed_by": notice.closed_by,
        "base": None if notice.base is None else _text(notice.base),
        "url": None if notice.url is None else _text(notice.url),
    }


def _cause(cause: Cause, sharing: Mapping[bytes, int]) -> JSON:
    """key: what causes that are the same have in common; repositories: how many of
    them are in this message"""
    key = cause.key
    return {
        "of": cause.of,
        "key": None if key is None else key.hex(),
        "repositories": None if key is None else sharing.get(key, 1),
        "quantity": cause.quantity,
        "grown_amount": cause.grown_amount,
        "base_grown_amount": cause.base_grown_amount,
        "unknown_lines": cause.unknown_lines,
        "changes": [_change(change) for change in cause.changes],
    }


def _change(change: LineChange) -> JSON:
    return {
        "kind": change.kind,
        "instruction": _text(change.instruction),
        "before_amount": change.before_amount,
        "amount": change.amount,
        "grown_amount": change.grown_amount,
        "is_of_base": change.of_base,
    }


def _text(text: str) -> str:
    """As it was pushed, up to its bound; half a surrogate pair, which not every reader
    of JSON takes (RFC 8259 8.2), becomes `?`."""
    return text[:TEXT_CHARACTERS].encode("utf-8", "replace").decode()


def _moment(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")
