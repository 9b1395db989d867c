"""Messages to Slack, and to whatever takes the same incoming webhooks."""

import json

import httpx

from weighbridge.domain.message.message import Message
from weighbridge.notify.channels.slack.payload import slack_payload
from weighbridge.notify.post import MessageReceiver, post
from weighbridge.notify.render.content import content_of


class SlackNotifier:
    """A Notifier over an incoming webhook."""

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
        payload = slack_payload(content_of(message))
        await post(self._transport, self._receiver, json.dumps(payload).encode())

    async def aclose(self) -> None:
        await self._transport.aclose()
