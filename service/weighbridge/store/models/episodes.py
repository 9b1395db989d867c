"""Violations, and what was accepted for a while."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
)

from weighbridge.store.models.entries import repositories
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
