"""Tells one channel what waits for it: the next message, and what became of it.

1. A group that is due is claimed, and the key of its message kept (`claim_delivery`).
2. The message is made of what the database knows now, and handed to the notifier.
3. That it was taken is kept, or when it is tried again.

Killed between 2 and 3, we send it once more, under the same key.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

import structlog
from msgspec import Struct, field

from weighbridge.domain.message.grouping import (
    LONGEST_PAUSE,
    Message,
    pause_after,
    retry_at,
    with_link,
)
from weighbridge.engine.writer.writer import Writer
from weighbridge.errors import NotifyError, PartlyTaken, StoreError
from weighbridge.ports.protocols import Notifier
from weighbridge.store.leases.validity import one_claim
from weighbridge.store.outbox.deliveries import (
    Delivery,
    claim_delivery,
    give_back,
    note_failed,
    note_sent,
)
from weighbridge.store.reports.violations import read_notices
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
    pause = (
        pause_after(delivery.tries, sending.jitter())
        if error.retryable
        else LONGEST_PAUSE
    )
    again = retry_at(
        now,
        delivery.failing_since or now,
        pause,
        retry_after_s=error.retry_after if error.retryable else None,
    )
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
