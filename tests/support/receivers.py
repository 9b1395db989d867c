"""Receivers of messages: addresses, answers that are made up, and what was sent."""

from collections.abc import Awaitable
from typing import Final

import httpx
import pytest

from support.handler_connections import HandlerConnections
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import NotifyError
from weighbridge.net.transport import Transport
from weighbridge.notify.post import MessageReceiver

URL: Final = "https://hooks.slack.com/services/T000/B000/SECRET"


def receiver(
    connections: HandlerConnections, url: str = URL, name: str = "ops"
) -> MessageReceiver:
    """Public addresses only."""
    return MessageReceiver(name, lambda: Secret(url), Transport(connections))


def answering(*responses: httpx.Response) -> HandlerConnections:
    """One answer after the other."""
    left = list(responses)
    return HandlerConnections(lambda _: left.pop(0))


def failing(error: httpx.RequestError) -> HandlerConnections:
    """No answer at all."""

    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    return HandlerConnections(fail)


async def refused(sending: Awaitable[None]) -> NotifyError:
    """The error of what must fail."""
    with pytest.raises(NotifyError) as caught:
        await sending
    return caught.value
