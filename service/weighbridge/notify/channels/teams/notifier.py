"""Messages to Microsoft Teams, by a webhook of Workflows."""

import json

import httpx

from weighbridge.domain.message.message import Message
from weighbridge.notify.channels.teams.payload import teams_payload
from weighbridge.notify.post import MessageReceiver, post
from weighbridge.notify.render.content import content_of


class TeamsNotifier:
    """A Notifier over a webhook of Workflows."""

    def __init__(
        self, receiver: MessageReceiver, transport: httpx.AsyncBaseTransport
    ) -> None:
        self._receiver = receiver
        self._transport = transport

    @property
    def name(self) -> str:
        return self._receiver.name

    async def send(self, message: Message) -> None:
        """Raises NotifyError."""
        payload = teams_payload(content_of(message))
        await post(self._transport, self._receiver, json.dumps(payload).encode())

    async def aclose(self) -> None:
        await self._transport.aclose()
