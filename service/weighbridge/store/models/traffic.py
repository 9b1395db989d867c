"""Pulls as registries tell them, and what is counted by months: pulls, and what is
stored."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table

from weighbridge.domain.traffic.pulls import COUNTED
from weighbridge.store.models.types import Enumeration, Moment, metadata

# What a registry said last of pulls of a repository. None: it has said nothing.
repository_pulls = Table(
    "repository_pulls",
    metadata,
    Column("repository_id", BigInteger, primary_key=True, autoincrement=False),
    Column("pulls", BigInteger, nullable=False),
    Column("counts", Enumeration(COUNTED), nullable=False),
    Column("window_s", BigInteger),  # NULL: since the repository was made
    Column("first_seen_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("counted_until", Moment, nullable=False),
    sqlite_with_rowid=False,
)

# When a tag, or what it leads to, was last pulled. At most a day behind.
tag_pulls = Table(
    "tag_pulls",
    metadata,
    Column("tag_id", BigInteger, primary_key=True, autoincrement=False),
    Column("pulled_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)

# Months are years times twelve, and months since January. Kept for ever, as what was
# pulled, and what it moved then, is told by nobody later.
pull_months = Table(
    "pull_months",
    metadata,
    Column("month", Integer, primary_key=True, autoincrement=False),
    Column("repository_id", BigInteger, primary_key=True, autoincrement=False),
    Column("pulls", BigInteger),  # NULL: the counter has fallen
    # NULL: nothing was known of the images when these pulls were counted.
    Column("low_bytes", BigInteger),
    Column("high_bytes", BigInteger),
    Column("is_estimate", Boolean, nullable=False),
    Column("counted_from", Moment, nullable=False),
    Column("counted_until", Moment, nullable=False),
    Index("ix_pull_months_high_bytes", "month", "high_bytes", "repository_id"),
    sqlite_with_rowid=False,
)

# What each repository stored, once a day: its exclusive bytes, and its part of what it
# shares with others in its storage scope. The parts add up to what the scope stores.
storage_months = Table(
    "storage_months",
    metadata,
    Column("month", Integer, primary_key=True, autoincrement=False),
    Column("repository_id", BigInteger, primary_key=True, autoincrement=False),
    Column("byte_days", BigInteger, nullable=False),  # the sum over the days
    Column("days", Integer, nullable=False),
    Column("last_day", Integer, nullable=False),
    sqlite_with_rowid=False,
)
