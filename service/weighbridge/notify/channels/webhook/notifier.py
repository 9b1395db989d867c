"""Messages as JSON to any address, signed as standard-webhooks.com says."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime

from weighbridge.domain.message.message import Message
from weighbridge.errors import ConfigError
from weighbridge.notify.channels.webhook.payload import webhook_body
from weighbridge.notify.post import MessageReceiver, unreadable


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: HMAC-SHA256 over id, time and body."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.digest(key, signed, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


class WebhookNotifier:
    """A Notifier. `webhook-id` is the message's key, so that a receiver which has seen
    it already can tell.

    key: reads the key that signs as it is now; None: messages are not signed
    """

    def __init__(
        self,
        receiver: MessageReceiver,
        key: Callable[[], bytes | None],
    ) -> None:
        self._receiver = receiver
        self._key = key

    @property
    def name(self) -> str:
        return self._receiver.name

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

    async def aclose(self) -> None:
        await self._receiver.aclose()
