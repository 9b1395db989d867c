"""Has people told: all channels side by side, and who has something to tell is woken.

A channel sends its messages one after the other, for as long as some are due, so that a
receiver that is slow holds up nobody else.

1. A group that is due is claimed, and the key of its message kept (`claim_delivery`).
2. The message is made of what the database knows now, and handed to the notifier.
3. That it was taken is kept, or when it is tried again.

Killed between 2 and 3, we send it once more, under the same key.

An Alertmanager forgets what nobody repeats: what is open is told every minute and at
once where it changed, what is over for five minutes more.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence, Set
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog
from msgspec import Struct, field

from weighbridge.domain.message.grouping import (
    LONGEST_PAUSE,
    Message,
    Route,
    ViolationNotice,
    pause_after,
    retry_at,
    routes_for,
    with_link,
)
from weighbridge.engine.writer.writer import Writer
from weighbridge.errors import NotifyError, PartlyTaken, StoreError
from weighbridge.ports.protocols import Notifier
from weighbridge.store.leases.validity import one_claim
from weighbridge.store.outbox.deliveries import (
    KEPT_FOR,
    Delivery,
    claim_delivery,
    drop_channels,
    give_back,
    note_failed,
    note_sent,
)
from weighbridge.store.outbox.due_groups import next_due, next_due_on
from weighbridge.store.reports.violations import read_firing, read_notices
from weighbridge.telemetry import Telemetry

MOST: Final = 200
"""Violations of one message that are told in full, where its medium has room."""
SEND_S: Final = 35.0
"""A notifier ends by itself after 30; one that does not is ended."""
LEASE_S: Final = 90.0
LONGEST_HOLD_S: Final = 60.0
"""So long the other messages of a channel wait where one did not get through."""
_SAME_CAUSE: Final = "the same change"


class SendContext(Struct, frozen=True):
    """What everybody who delivers has in common.

    clock:        the database's, where several processes share it
    owner:        this process, as `validity.this_process` names it
    external_url: where people see our pages, None where nobody said
    jitter:       0 to 1, by chance
    """

    writer: Writer
    clock: Callable[[], datetime]
    owner: str
    telemetry: Telemetry
    external_url: str | None = None
    jitter: Callable[[], float] = field(default=random.random)


class Delivered(Struct, frozen=True):
    """What became of one message.

    hold_s: so long its channel is better left alone; 0 where it works
    """

    is_sent: bool
    hold_s: float = 0.0


async def deliver_next(sending: SendContext, notifier: Notifier) -> Delivered | None:
    """Send the channel's next message; None where nothing is due. Raises StoreError."""
    delivery = await sending.writer.write(
        claim_delivery,
        notifier.name,
        now=sending.clock(),
        lease_s=LEASE_S,
        owner=one_claim(sending.owner),
    )
    if delivery is None:
        return None
    sending.telemetry.notifications.labels(notifier.name).inc()
    try:
        await _send(sending, notifier, delivery)
    except asyncio.CancelledError:
        with suppress(StoreError):
            await asyncio.shield(
                sending.writer.write(give_back, delivery, sending.clock())
            )
        raise
    except PartlyTaken as exc:
        _tell_partly_taken(sending, delivery, exc)
    except NotifyError as exc:
        return await asyncio.shield(_note_failure(sending, delivery, exc))
    await asyncio.shield(sending.writer.write(note_sent, delivery, sending.clock()))
    log().info(
        "message sent",
        channel=delivery.channel,
        message=delivery.key,
        violations=len(delivery.rows),
        tries=delivery.tries,
    )
    return Delivered(is_sent=True)


async def _send(sending: SendContext, notifier: Notifier, delivery: Delivery) -> None:
    """Raises NotifyError, whatever goes wrong: its row must be put off."""
    try:
        message = await _message(sending, delivery)
        async with asyncio.timeout(SEND_S):
            await notifier.send(message)
    except (NotifyError, StoreError):
        raise
    except TimeoutError as exc:
        raise NotifyError(
            "the receiver did not take it in time", code="deadline", retryable=True
        ) from exc
    except Exception as exc:
        log().error(
            "message could not be made",
            channel=delivery.channel,
            code="bug",
            why=type(exc).__name__,
        )
        raise NotifyError("a fault of our own", code="bug") from exc


async def _message(sending: SendContext, delivery: Delivery) -> Message:
    found = await sending.writer.read(read_notices, delivery.notices, MOST)
    return Message(
        key=delivery.key,
        group=_SAME_CAUSE if delivery.is_cause else delivery.about,
        items=tuple(with_link(one, sending.external_url) for one in found),
        more=len(delivery.notices) - len(found),
        sent_at=sending.clock(),
    )


async def _note_failure(
    sending: SendContext, delivery: Delivery, error: NotifyError
) -> Delivered:
    now = sending.clock()
    sending.telemetry.notification_failures.labels(delivery.channel).inc()
    # What is refused for good may be a channel that somebody is about to put right.
    pause, retry_after_s = LONGEST_PAUSE, None
    if error.retryable:
        pause = pause_after(delivery.tries, sending.jitter())
        retry_after_s = error.retry_after
    began = delivery.failing_since or now
    again = retry_at(now, began, pause, retry_after_s=retry_after_s)
    is_given_up = await sending.writer.write(
        note_failed, delivery, now, code=error.code, retry_at=again
    )
    if is_given_up:
        sending.telemetry.notifications_given_up.labels(delivery.channel).inc()
    _tell_failure(delivery, error, None if is_given_up else again)
    return Delivered(
        is_sent=False, hold_s=_hold_s(error, (again - now).total_seconds())
    )


def _tell_partly_taken(
    sending: SendContext, delivery: Delivery, error: PartlyTaken
) -> None:
    """A failure that is only told: whoever took the message is not to have it again."""
    sending.telemetry.notification_failures.labels(delivery.channel).inc()
    log().warning(
        "message refused for some of its recipients",
        channel=delivery.channel,
        message=delivery.key,
        code=error.code,
        why=error.message,
    )


def _hold_s(error: NotifyError, again_s: float) -> float:
    """Only a receiver that may be down is spared, and not for long if it did not ask
    for that: it may be one message that it cannot take."""
    if not error.retryable:
        return 0.0
    return again_s if error.retry_after is not None else min(again_s, LONGEST_HOLD_S)


def _tell_failure(
    delivery: Delivery, error: NotifyError, again: datetime | None
) -> None:
    bound = log().bind(
        channel=delivery.channel,
        message=delivery.key,
        violations=len(delivery.rows),
        tries=delivery.tries,
        code=error.code,
        why=error.message,
    )
    if again is None:
        bound.error("message given up: the channel did not accept it for a day")
    else:
        bound.warning("message not sent", retry_at=again.isoformat())


def log() -> "structlog.stdlib.BoundLogger":
    """Of all messages."""
    found: structlog.stdlib.BoundLogger = structlog.get_logger("weighbridge.notify")
    return found


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
        try:
            while self._woken.is_set():
                self._woken.clear()
                wait_s = await self._send_all()
                if wait_s is not None and wait_s <= LINGER_S:
                    await self._rest(wait_s)
        except StoreError as exc:
            # Whatever waits is due still.
            log().warning(
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


EVERY_S: Final = 60.0
MOST_OPEN: Final = 10_000
"""Violations that are told: more than that in a day is told by none."""
RETRY_S: Final = 10.0
_BREATH_S: Final = 0.25


class Resender(Protocol):
    """One receiver of states, not of events, see `notify.channels.alertmanager`."""

    @property
    def name(self) -> str:
        """Of its channel."""

    @property
    def number(self) -> int | None:
        """Which of its channel's receivers it is, from 1; None for the only one."""

    async def resend(self, tolds: Sequence[ViolationNotice], now: datetime) -> None:
        """Send all of these. Raises NotifyError where it did not take them."""

    async def aclose(self) -> None: ...


class Resending:
    """The turns of one receiver, one at a time. Several receivers of a channel have one
    each: what one of them takes, refuses or delays is nothing to the others.

    routes: those that lead to its channel
    """

    def __init__(
        self,
        sending: SendContext,
        resender: Resender,
        routes: Sequence[Route],
        *,
        every_s: float = EVERY_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self._every_s = every_s
        self._retry_s = retry_s
        self._sending = sending
        self._resender = resender
        self._routes = tuple(routes)
        self._task: asyncio.Task[None] | None = None
        self._sent: frozenset[tuple[int, str]] = frozenset()
        self._due_at = 0.0
        self._is_woken = False

    def wake(self) -> None:
        """Tell what there is to tell, if it is time or if it has changed."""
        self._is_woken = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def aclose(self) -> None:
        """What was not told is told by whoever goes on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        await self._resender.aclose()

    async def _run(self) -> None:
        while self._is_woken:
            self._is_woken = False
            await self._turn()
            # Each turn reads all that is open, and whoever finds something wakes us.
            await asyncio.sleep(_BREATH_S)

    async def _turn(self) -> None:
        name = self._resender.name
        try:
            firing = await self._firing()
            notices = self._to_tell(firing)
            if notices:
                self._sending.telemetry.notifications.labels(name).inc()
                await self._resender.resend(notices, self._sending.clock())
        except StoreError as exc:
            log().warning("alerts wait for the database", channel=name, code=exc.code)
        except NotifyError as exc:
            self._note_failure(exc.code, exc.message)
        except Exception as exc:  # noqa: BLE001 - the next turn may go better
            self._note_failure("bug", type(exc).__name__)

    def _to_tell(self, firing: Sequence[ViolationNotice]) -> Sequence[ViolationNotice]:
        """All of it once a minute, and in between what is new: five hundred that come
        one after the other are not told five hundred times."""
        fresh = [one for one in firing if _state(one) not in self._sent]
        self._sent = frozenset(map(_state, firing))
        now = asyncio.get_running_loop().time()
        if now < self._due_at:
            return fresh
        self._due_at = now + self._every_s
        return firing

    def _note_failure(self, code: str, why: str) -> None:
        """All of it is told again soon."""
        self._due_at = asyncio.get_running_loop().time() + self._retry_s
        resender = self._resender
        self._sending.telemetry.notification_failures.labels(resender.name).inc()
        where = {} if resender.number is None else {"receiver": resender.number}
        log().warning(
            "alerts not sent", channel=resender.name, **where, code=code, why=why
        )

    async def _firing(self) -> list[ViolationNotice]:
        sending = self._sending
        notices = await sending.writer.read(read_firing, sending.clock(), MOST_OPEN)
        return [
            with_link(one, sending.external_url)
            for one in notices
            if routes_for(self._routes, one)
        ]


def _state(notice: ViolationNotice) -> tuple[int, str]:
    return notice.violation_id, notice.event


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
            log().warning(
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
