"""All channels side by side: who has something to tell is woken."""

import asyncio
from collections.abc import Iterable, Set
from datetime import datetime, timedelta
from typing import Final

import structlog

from weighbridge.engine.deliver.channel_line import LINGER_S, ChannelLine
from weighbridge.engine.deliver.next_message import SendContext
from weighbridge.engine.deliver.resend_open import Resending
from weighbridge.ports.protocols import Notifier
from weighbridge.store.outbox.delivery_results import KEPT_FOR, drop_channels
from weighbridge.store.outbox.due_groups import next_due

GRACE_S: Final = 3.0
"""So long a message that is on its way may take once the process is to end."""


class Deliverers:
    """Everybody who is told. Lives on one event loop.

    notifiers:  the channels that are sent messages
    resendings: those that are told all that is open, again and again
    """

    def __init__(
        self,
        sending: SendContext,
        notifiers: Iterable[Notifier],
        resendings: Iterable[Resending] = (),
    ) -> None:
        self._sending = sending
        self._lines = {
            notifier.name: ChannelLine(sending, notifier) for notifier in notifiers
        }
        self._resendings = tuple(resendings)
        self._unknown_since: dict[str, datetime] = {}

    async def wake(self) -> None:
        """Have everything told that is due. Returns at once: messages go beside
        whatever else is done here. Raises StoreError."""
        now = self._sending.clock()
        due = await self._sending.writer.read(next_due, now)
        soon = now + timedelta(seconds=LINGER_S)
        for name, at in due.items():
            if name in self._lines and at <= soon:
                self._lines[name].wake()
        for resending in self._resendings:
            resending.wake()
        await self._drop_unknown(due.keys() - self._lines.keys(), now)

    async def _drop_unknown(self, channels: Set[str], now: datetime) -> None:
        """Drop what waits for channels that are not configured, and were not for an
        hour: who has left one out by mistake has time to see it."""
        self._unknown_since = {
            name: min(self._unknown_since.get(name, now), now) for name in channels
        }
        removed = {
            name for name, at in self._unknown_since.items() if at <= now - KEPT_FOR
        }
        if not removed:
            return
        dropped = await self._sending.writer.write(drop_channels, removed, now)
        if dropped:
            structlog.get_logger("weighbridge.notify").warning(
                "what waited for channels that are not configured was dropped",
                channels=sorted(removed),
                notifications=dropped,
            )

    async def aclose(self, grace_s: float = GRACE_S) -> None:
        """Let what is on its way arrive, for a moment; the rest is due still."""
        await asyncio.gather(
            *(line.aclose(grace_s) for line in self._lines.values()),
            *(resending.aclose() for resending in self._resendings),
        )
