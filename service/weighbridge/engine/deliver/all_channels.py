"""All channels side by side: who has something to tell is woken.

Each channel sends its messages one after the other, for as long as some are due, so
that a receiver that is slow holds up nobody else.
"""

import asyncio
from collections.abc import Iterable, Set
from datetime import datetime, timedelta
from typing import Final

import structlog

from weighbridge.engine.deliver.next_message import Delivered, SendContext, deliver_next
from weighbridge.engine.deliver.resend_open import Resending
from weighbridge.errors import StoreError
from weighbridge.ports.protocols import Notifier
from weighbridge.store.outbox.deliveries import KEPT_FOR, drop_channels
from weighbridge.store.outbox.due_groups import next_due, next_due_on

LINGER_S: Final = 30.0
"""What is due by then is waited for here; for what is due later `wake` is called."""
REFUSED_IN_A_ROW: Final = 3
REFUSED_HOLD_S: Final = 1.0
"""A receiver that refused so many, one after the other, wants none of them: what waits
is not poured out over it."""
_MOMENT_S: Final = 0.2
"""Somebody else was quicker: what they have in hand is looked at again after that."""


class ChannelLine:
    """Sends what is due on one channel once it is woken."""

    def __init__(self, sending: SendContext, notifier: Notifier) -> None:
        self._sending = sending
        self._notifier = notifier
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._held_until = 0.0
        self._refused = 0
        self._is_closing = False

    def wake(self) -> None:
        """Look for what is due now; a message that is on its way is let through
        first."""
        self._woken.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def aclose(self, grace_s: float) -> None:
        """Let the message that is on its way arrive, if it does so soon; take no other
        one, and close the channel."""
        self._is_closing = True
        self._woken.set()
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=grace_s)
            self._task.cancel()
            await asyncio.wait((self._task,))
        await self._notifier.aclose()

    async def _run(self) -> None:
        log = structlog.get_logger("weighbridge.notify")
        try:
            while self._woken.is_set():
                self._woken.clear()
                wait_s = await self._send_all()
                if wait_s is not None and wait_s <= LINGER_S:
                    await self._rest(wait_s)
        except StoreError as exc:
            # Whatever waits is due still.
            log.warning(
                "messages wait for the database",
                channel=self._notifier.name,
                code=exc.code,
                why=exc.message,
            )

    async def _rest(self, seconds: float) -> None:
        """Until somebody calls `wake`, or time is up: then it goes on either way."""
        if self._is_closing:
            self._woken.clear()
            return
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            self._woken.set()

    async def _send_all(self) -> float | None:
        """Returns in how many seconds to go on; None: nothing waits."""
        loop = asyncio.get_running_loop()
        while not self._is_closing:
            held_s = self._held_until - loop.time()
            if held_s > 0:
                return held_s
            done = await deliver_next(self._sending, self._notifier)
            if done is None:
                return await self._until_next()
            self._held_until = loop.time() + self._hold_s(done)
        return None

    def _hold_s(self, done: Delivered) -> float:
        """One message that is refused may be the message, and holds up no other."""
        self._refused = 0 if done.is_sent else self._refused + 1
        least_s = REFUSED_HOLD_S if self._refused >= REFUSED_IN_A_ROW else 0.0
        return max(done.hold_s, least_s)

    async def _until_next(self) -> float | None:
        now: datetime = self._sending.clock()
        at = await self._sending.writer.read(next_due_on, self._notifier.name, now)
        return None if at is None else max((at - now).total_seconds(), _MOMENT_S)


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
