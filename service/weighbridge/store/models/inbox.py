"""The inbox of webhooks."""

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from weighbridge.store.models.types import UTF8, DigestBytes, Id, Moment, metadata

# The inbox of webhooks: committed before the sender gets its 2xx. It names what may
# have changed; what did is asked of the registry. A registry or repository that is
# not configured has no row.
pushes = Table(
    "pushes",
    metadata,
    Column("id", Id, primary_key=True),
    Column("registry", UTF8, nullable=False),  # as configured
    Column("source", Text, nullable=False),
    # SHA-256 of source, registry and what names the event: it is taken once.
    Column("event_key", LargeBinary, nullable=False, unique=True),
    Column("repository", UTF8, nullable=False),
    Column("tag", UTF8),  # None: the sender did not say, all of them may have moved
    Column("digest", DigestBytes),
    Column("is_delete", Boolean, nullable=False),
    Column("pushed_at", Moment),  # as the sender says
    Column("received_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),  # not crawled before
    Column("attempts", Integer, nullable=False),
    Column("done_at", Moment),  # None: waits
    # A code: what came of it; while it waits, why the last attempt brought no answer.
    Column("outcome", Text, nullable=False),
)
# By when: of a flood most rows are held back, and are not to be read at each attempt.
Index(
    "ix_pushes_waiting",
    pushes.c.registry,
    pushes.c.repository,
    pushes.c.due_at,
    sqlite_where=pushes.c.done_at.is_(None),
)
# How often a tag was handled just now.
Index(
    "ix_pushes_done",
    pushes.c.registry,
    pushes.c.repository,
    pushes.c.done_at,
    sqlite_where=pushes.c.done_at.is_not(None),
)
