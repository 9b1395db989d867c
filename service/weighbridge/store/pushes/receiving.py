"""The inbox of webhooks: rows of `pushes`, written before the sender is answered."""

import hashlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, select

from weighbridge.domain.webhook.webhook_source import PushSeen
from weighbridge.store.dialect import NumberedRows, among_bytes, listed
from weighbridge.store.dialect.names import time_of_server
from weighbridge.store.models import pushes

_NEW: Final = NumberedRows(
    pushes,
    "registry",
    "source",
    "event_key",
    "repository",
    "tag",
    "digest",
    "is_delete",
    "pushed_at",
    "received_at",
    "due_at",
    "attempts",
    "outcome",
    key="event_key",
)
_TAKEN: Final = select(pushes.c.event_key).where(among_bytes(pushes.c.event_key))


class ReceivedPush(Struct, frozen=True):
    """A push, who told it, and of which configured registry."""

    registry: str
    source: str
    push: PushSeen

    @property
    def event_key(self) -> bytes:
        """The same for the same event, told again. Another one each time where its
        sender has no name for it."""
        event = self.push.event or os.urandom(16).hex()
        text = "\0".join((self.source, self.registry, event))
        return hashlib.sha256(text.encode(errors="replace")).digest()


def keep_pushes(
    connection: Connection, received: Sequence[ReceivedPush], now: datetime
) -> list[bool]:
    """Keep each push that was not told before, to be handled from now on.

    Returns, push by push, whether it is new; of two that are the same the first.
    """
    keys = [each.event_key for each in received]
    found = set(connection.execute(_TAKEN, {"hashes": listed(keys)}).scalars())
    new: dict[bytes, ReceivedPush] = {}
    is_first = []
    for key, each in zip(keys, received, strict=True):
        is_first.append(key not in found and key not in new)
        if is_first[-1]:
            new[key] = each
    # What is due is judged by the database's clock.
    due_at = (time_of_server(connection) or now).astimezone(UTC)
    # Where several processes are told the same at once, one of them was first. Sorted,
    # so that two of them do not wait for each other.
    rows = [_row(new[key], key, now, due_at) for key in sorted(new)]
    added = _NEW.add(connection, rows)
    return [is_new and k in added for k, is_new in zip(keys, is_first, strict=True)]


def _row(
    received: ReceivedPush, key: bytes, now: datetime, due_at: datetime
) -> tuple[object, ...]:
    push = received.push
    return (
        received.registry,
        received.source,
        key,
        push.repository,
        push.tag,
        push.digest,
        push.is_delete,
        # A sender's clock may be ahead; what is newer than now would stay the newest.
        None if push.pushed_at is None else min(push.pushed_at, now),
        now,
        due_at,
        0,
        "",
    )
