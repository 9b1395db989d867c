"""Open violations to Alertmanagers: all of them are told, again and again."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx

from weighbridge.domain.message import Message, Told
from weighbridge.errors import NotifyError
from weighbridge.notify.post import Receiver, post
from weighbridge.notify.render.alerts import (
    ALERTNAME,
    TEST_ALERTNAME,
    Alert,
    alerts_of,
)

ALERTS_A_REQUEST = 500


class AlertmanagerNotifier:
    """Told of everything that is open each minute, and of what has ended for five
    minutes more; what is not told again ends by itself. Also a Notifier, for tests.

    receivers: one for each Alertmanager of a cluster: they tell each other what they
               have sent, not what they were told
    """

    def __init__(
        self,
        name: str,
        receivers: Sequence[Receiver],
        transport: httpx.AsyncBaseTransport,
    ) -> None:
        self._name = name
        self._receivers = receivers
        self._transport = transport

    @property
    def name(self) -> str:
        return self._name

    async def resend(self, tolds: Sequence[Told], now: datetime) -> None:
        """Tell every Alertmanager of these: `opened` ones fire, `resolved` ones have
        ended. Raises NotifyError if any of them did not take all; the others have."""
        await self._tell(alerts_of(tolds, now))

    async def send(self, message: Message) -> None:
        """The same of one message's items; a test is an alert of another name."""
        alertname = TEST_ALERTNAME if message.is_test else ALERTNAME
        now = datetime.now(UTC)
        await self._tell(alerts_of(message.items, now, alertname=alertname))

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _tell(self, alerts: Sequence[Alert]) -> None:
        if not alerts:
            return
        told = [self._tell_one(receiver, alerts) for receiver in self._receivers]
        results = await asyncio.gather(*told, return_exceptions=True)
        failures: list[tuple[int, NotifyError]] = []
        for number, result in enumerate(results, start=1):
            if isinstance(result, NotifyError):
                failures.append((number, result))
            elif result is not None:
                raise result
        if failures:
            raise _together(self._name, failures, len(self._receivers))

    async def _tell_one(self, receiver: Receiver, alerts: Sequence[Alert]) -> None:
        for start in range(0, len(alerts), ALERTS_A_REQUEST):
            piece = alerts[start : start + ALERTS_A_REQUEST]
            await post(self._transport, receiver, json.dumps(piece).encode())


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
