"""Open violations to Alertmanagers: all of them are told, again and again."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime

from weighbridge.domain.message.message import Message, ViolationNotice
from weighbridge.errors import NotifyError
from weighbridge.notify.channels.alertmanager.payload import (
    ALERTNAME,
    TEST_ALERTNAME,
    Alert,
    alerts_of,
)
from weighbridge.notify.post import MessageReceiver

ALERTS_A_REQUEST = 500


class Alertmanager:
    """One of a channel: told of everything that is open each minute, and of what has
    ended for five minutes more; what is not told again ends by itself.

    number: its place in the `urls` of its channel, from 1; None for the only one
    """

    def __init__(
        self,
        receiver: MessageReceiver,
        number: int | None = None,
    ) -> None:
        self._receiver = receiver
        self.number = number

    @property
    def name(self) -> str:
        return self._receiver.name

    async def resend(self, tolds: Sequence[ViolationNotice], now: datetime) -> None:
        """Send these: `opened` ones fire, `resolved` ones have ended. Raises
        NotifyError."""
        await self.post(alerts_of(tolds, now))

    async def post(self, alerts: Sequence[Alert]) -> None:
        """Send alerts, so many in a request. Raises NotifyError."""
        for start in range(0, len(alerts), ALERTS_A_REQUEST):
            piece = alerts[start : start + ALERTS_A_REQUEST]
            await self._receiver.post(json.dumps(piece).encode())

    async def aclose(self) -> None:
        await self._receiver.aclose()


class AlertmanagerNotifier:
    """A Notifier, for tests: one message to every Alertmanager of a channel.

    each: one for each Alertmanager of a cluster: they tell each other what they have
          sent, not what they were sent. Each has a connection of its own, so that none
          waits for another
    """

    def __init__(self, name: str, each: Sequence[Alertmanager]) -> None:
        self._name = name
        self.each = each

    @property
    def name(self) -> str:
        return self._name

    async def send(self, message: Message) -> None:
        """The items of a message; a test is an alert of another name. Raises
        NotifyError if any of them did not take all; the others have."""
        alertname = TEST_ALERTNAME if message.is_test else ALERTNAME
        alerts = alerts_of(message.items, datetime.now(UTC), alertname=alertname)
        sent = [one.post(alerts) for one in self.each]
        results = await asyncio.gather(*sent, return_exceptions=True)
        failures: list[tuple[int, NotifyError]] = []
        for number, result in enumerate(results, start=1):
            if isinstance(result, NotifyError):
                failures.append((number, result))
            elif result is not None:
                raise result
        if failures:
            raise _together(self._name, failures, len(self.each))

    async def aclose(self) -> None:
        for one in self.each:
            await one.aclose()


def _together(
    name: str, failures: Sequence[tuple[int, NotifyError]], count: int
) -> NotifyError:
    """One error for all: trying again helps if it helps with any of them."""
    number, first = failures[0]
    if count == 1:
        return first
    said = first.message.removeprefix(f"channel {name}: ")
    waits = [exc.retry_after for _, exc in failures if exc.retry_after is not None]
    return NotifyError(
        f"channel {name}: {len(failures)} of {count} did not take it; "
        f"number {number} of urls: {said}",
        code=first.code,
        hint=first.hint,
        retryable=any(exc.retryable for _, exc in failures),
        retry_after=max(waits, default=None),
    )
