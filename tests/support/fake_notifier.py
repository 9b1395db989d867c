"""A `Notifier` that remembers what it was given, and refuses what a test wants."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from weighbridge.domain.message.grouping import Message, ViolationNotice
from weighbridge.errors import NotifyError
from weighbridge.telemetry import Telemetry


def down(retry_after: float | None = None) -> NotifyError:
    return NotifyError(
        "no answer", code="unreachable", retryable=True, retry_after=retry_after
    )


def refused() -> NotifyError:
    return NotifyError("400", code="refused", retryable=False)


class FakeNotifier:
    """
    failures: raised by the next sendings, one each
    messages: all that it was given, taken or not
    is_open:  a sending lasts until this is set
    """

    def __init__(self, name: str = "ops", *failures: Exception) -> None:
        self.name = name
        self.failures = list(failures)
        self.messages: list[Message] = []
        self.taken: list[Message] = []
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.is_closed = False

    async def send(self, message: Message) -> None:
        self.messages.append(message)
        await self.is_open.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append(message)

    async def aclose(self) -> None:
        self.is_closed = True


class FakeResender:
    """The same of a receiver that is sent all that is open, again and again."""

    def __init__(
        self, name: str = "am", *failures: Exception, number: int | None = None
    ) -> None:
        self.name = name
        self.number = number
        self.failures = list(failures)
        self.told: list[list[tuple[int, str]]] = []
        self.is_open = asyncio.Event()
        self.is_open.set()

    async def resend(self, tolds: Sequence[ViolationNotice], now: datetime) -> None:
        self.told.append([(told.violation_id, told.event) for told in tolds])
        await self.is_open.wait()
        if self.failures:
            raise self.failures.pop(0)

    async def aclose(self) -> None: ...


def counted(telemetry: Telemetry, channel: str) -> tuple[float, float, float]:
    """How often a channel was tried, refused, given up, as a scrape would see it."""
    names = ("notifications", "notification_failures", "notifications_given_up")
    tried, refused, given_up = (
        telemetry.registry.get_sample_value(
            f"weighbridge_{name}_total", {"channel": channel}
        )
        or 0.0
        for name in names
    )
    return tried, refused, given_up
