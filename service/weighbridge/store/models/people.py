"""What people are told and what they do: violations and waivers, the outbox, who may
ask over HTTP."""

from typing import Final

from sqlalchemy import (
    BigInteger,
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

from weighbridge.store.models.ledger import repositories
from weighbridge.store.models.types import UTF8, DigestBytes, Id, Moment, metadata

# An episode: the newest image of a stream of tags (those that differ in their numbers
# only) exceeds a limit, from the push that did it to one that is within.
violations = Table(
    "violations",
    metadata,
    Column("id", Id, primary_key=True),
    Column("repository_id", ForeignKey(repositories.c.id), nullable=False),
    Column("stream", UTF8, nullable=False),  # "" for a limit of the repository
    Column("platform", UTF8, nullable=False),  # the same
    Column("policy", UTF8, nullable=False),
    Column("limit_key", Text, nullable=False),
    Column("team", UTF8),
    Column("severity", Text, nullable=False),
    Column("tag", UTF8),
    Column("image_id", BigInteger),
    Column("digest", DigestBytes),
    # Bytes, or a number of layers. Of growth: the compressed bytes that it may have.
    Column("limit_amount", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("baseline_compressed_bytes", BigInteger),
    Column("before_image_id", BigInteger),  # what the stream had before
    Column("before_compressed_bytes", BigInteger),
    # What has one cause has one key, see domain/growth/cause.py. None: it is not known.
    Column("cause_key", LargeBinary),
    Column("cause", UTF8),  # JSON, see store/violations/violation_rows.py
    Column("is_silent", Boolean, nullable=False),  # nobody is notified
    # What it had when a notification of it was sent. None: none was.
    Column("notified_amount", BigInteger),
    Column("opened_at", Moment, nullable=False),
    Column("pushed_at", Moment),
    Column("changed_at", Moment, nullable=False),
    Column("closed_at", Moment),
    Column("closed_by", Text),
    # The image that is within, where there is one.
    Column("within_tag", UTF8),
    Column("within_image_id", BigInteger),
    Column("within_digest", DigestBytes),
    Column("within_amount", BigInteger),
)
Index(
    "uq_violations_open",
    violations.c.repository_id,
    violations.c.stream,
    violations.c.platform,
    violations.c.policy,
    violations.c.limit_key,
    unique=True,
    sqlite_where=violations.c.closed_at.is_(None),
)
# What is open is a small part of all that was, and is asked for newest first.
Index(
    "ix_violations_open",
    violations.c.id,
    sqlite_where=violations.c.closed_at.is_(None),
)
# What a repository had, over or not.
Index("ix_violations_repository_id", violations.c.repository_id, violations.c.id)
Index(
    "ix_violations_ended",
    violations.c.repository_id,
    violations.c.closed_at,
    sqlite_where=violations.c.closed_at.is_not(None),
)
# What ended just now, of which Alertmanagers are notified for some minutes more.
Index(
    "ix_violations_closed_at",
    violations.c.closed_at,
    sqlite_where=violations.c.closed_at.is_not(None),
)
Index(
    "ix_violations_cause_key",
    violations.c.cause_key,
    sqlite_where=violations.c.cause_key.is_not(None),
)

# Violations that somebody has accepted for a while.
waivers = Table(
    "waivers",
    metadata,
    Column("id", Id, primary_key=True),
    Column("registry", UTF8, nullable=False),
    Column("repository", UTF8, nullable=False),  # a pattern, as a policy has it
    Column("tag", UTF8, nullable=False),  # the same
    Column("limit_key", Text),  # None: every limit
    Column("reason", UTF8, nullable=False),
    Column("author", UTF8, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("revoked_at", Moment),
    Column("revoked_by", UTF8),
)

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

# Who may ask over HTTP. The secrets themselves are nowhere: only their SHA-256.
tokens = Table(
    "tokens",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", UTF8, nullable=False),
    Column("role", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False, unique=True),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("last_used_at", Moment),
    Column("revoked_at", Moment),
    Column("teams", Text),  # JSON list; None: of all
    # What it was before it was renewed, and how long that is still taken.
    Column("previous_sha256", LargeBinary),
    Column("previous_until", Moment),
    Column("renewed_at", Moment),
)
# A name is free again once its token was revoked.
Index(
    "uq_tokens_name",
    tokens.c.name,
    unique=True,
    sqlite_where=tokens.c.revoked_at.is_(None),
)

# What admins did: rows are only ever added.
audit_log = Table(
    "audit_log",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", UTF8, nullable=False),
    Column("act", Text, nullable=False),
    Column("subject", UTF8, nullable=False),
    Column("detail", UTF8, nullable=False),
)
