"""Receivers of messages: addresses, answers that are made up, and what was sent."""

from collections.abc import Awaitable
from typing import Final

import httpx
import pytest

from support.handler_transport import HandlerTransport
from weighbridge.domain.text.secret import Secret
from weighbridge.errors import NotifyError
from weighbridge.net.guard.reach import Reach
from weighbridge.net.wire import PlainRequest
from weighbridge.notify.post import MessageReceiver

URL: Final = "https://hooks.slack.com/services/T000/B000/SECRET"


def receiver(url: str = URL, name: str = "ops") -> MessageReceiver:
    """Public addresses only."""
    return MessageReceiver(name, lambda: Secret(url), Reach.PUBLIC)


def answering(*responses: httpx.Response) -> HandlerTransport:
    """One answer after the other."""
    left = list(responses)
    return HandlerTransport(lambda _: left.pop(0))


def failing(error: httpx.RequestError) -> HandlerTransport:
    """No answer at all."""

    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    return HandlerTransport(fail)


async def refused(sending: Awaitable[None]) -> NotifyError:
    """The error of what must fail."""
    with pytest.raises(NotifyError) as caught:
        await sending
    return caught.value


def body_of(request: httpx.Request) -> bytes:
    """What was posted."""
    assert isinstance(request, PlainRequest)
    return request.body
