"""How fast new messages follow one another on a channel, whatever groups are due."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from weighbridge.domain.message.grouping import MESSAGES_A_MINUTE, held_until
from weighbridge.store.dialect import BulkInsert
from weighbridge.store.models import channel_paces
from weighbridge.store.models.types import microseconds, moment_of

_pace = channel_paces.c
_NEW: Final = BulkInsert(channel_paces, "channel", "begun")
_BEGUN: Final = select(_pace.begun).where(_pace.channel == bindparam("of_channel"))
_LOCKED: Final = _BEGUN.with_for_update()


def new_messages_held_until(
    connection: Connection, channel: str, now: datetime
) -> datetime | None:
    """Until when the channel has no new message, which may be over; None where it had
    too few of them."""
    found = connection.execute(_BEGUN, {"of_channel": channel}).scalar_one_or_none()
    return None if found is None else held_until(_moments(found), now)


def lock_pace(connection: Connection, channel: str) -> Sequence[datetime]:
    """When the last new messages were begun. Nobody else begins one on this channel
    until we commit: whoever locks a pace holds no other lock yet."""
    _NEW.add(connection, [(channel, "[]")])
    return _moments(connection.execute(_LOCKED, {"of_channel": channel}).scalar_one())


def note_begun(
    connection: Connection, channel: str, begun: Sequence[datetime], now: datetime
) -> None:
    """One more was begun, besides those that the locked pace has."""
    last = [*begun, now][-MESSAGES_A_MINUTE:]
    connection.execute(
        update(channel_paces)
        .where(_pace.channel == channel)
        .values(begun=json.dumps([microseconds(moment) for moment in last]))
    )


def _moments(text: str) -> list[datetime]:
    return [moment_of(number) for number in json.loads(text)]
