"""The outbox: notifications, their groups, and the pace of channels."""

from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from weighbridge.store.models.types import UTF8, Id, Moment, metadata

CLOSED: Final = "closed"
"""It was over before anybody was told of it."""
WAIVED: Final = "waived"
"""It was waived before anybody was told of it."""
OPEN_AGAIN: Final = "open_again"
"""It began again before anybody was told of its end."""
REVOCABLE: Final = (CLOSED, WAIVED, OPEN_AGAIN)
"""Reasons that may not hold the next time: then it is told after all."""

# What is told in one message: all of one cause (or whatever a route groups by) on one
# channel. Claimed by a lease, as repositories are.
notification_groups = Table(
    "notification_groups",
    metadata,
    Column("id", Id, primary_key=True),
    Column("channel", UTF8, nullable=False),
    Column("group_key", LargeBinary, nullable=False),
    Column("is_cause", Boolean, nullable=False),  # see domain/message/grouping.py
    Column("about", UTF8, nullable=False),  # what its items have in common, or ""
    Column("wait_s", Integer, nullable=False),  # before the first message
    Column("interval_s", Integer, nullable=False),  # between two messages
    Column("next_at", Moment),  # None: nothing waits
    Column("last_sent_at", Moment),
    Column("messages", Integer, nullable=False),  # that told of an opening
    Column("attempts", Integer, nullable=False),  # in vain, since the last message
    Column("failing_since", Moment),
    Column("error_code", Text),
    Column("lease_until", Moment),
    Column("lease_owner", UTF8),
    UniqueConstraint("channel", "group_key"),
)
# A channel's first ones, however many wait there or for others.
Index(
    "ix_notification_groups_next_at",
    notification_groups.c.channel,
    notification_groups.c.next_at,
    notification_groups.c.id,
    sqlite_where=notification_groups.c.next_at.is_not(None),
)

# How fast messages follow one another on a channel. Who begins one locks its row.
channel_paces = Table(
    "channel_paces",
    metadata,
    Column("channel", UTF8, primary_key=True),
    Column("begun", Text, nullable=False),  # the last new messages: JSON, microseconds
)

# The outbox: written in the transaction that opened or closed the violation.
notifications = Table(
    "notifications",
    metadata,
    Column("id", Id, primary_key=True),
    Column("group_id", ForeignKey("notification_groups.id"), nullable=False),
    Column("violation_id", ForeignKey("violations.id"), nullable=False),
    Column("event", Text, nullable=False),  # opened, resolved
    Column("created_at", Moment, nullable=False),
    Column("message_key", Text),  # of the message it is part of; None: none yet
    Column("sent_at", Moment),
    Column("given_up_at", Moment),
    Column("dropped_for", Text),  # why nobody need be told any more
)
# SQL's idea of a dedupe key: one channel is told of one event of an episode once.
UniqueConstraint(
    notifications.c.violation_id, notifications.c.event, notifications.c.group_id
)
Index(
    "ix_notifications_waiting",
    notifications.c.group_id,
    notifications.c.id,
    sqlite_where=notifications.c.sent_at.is_(None),
)
