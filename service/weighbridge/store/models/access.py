"""Who may ask over HTTP, and what admins did."""

from sqlalchemy import (
    Column,
    Index,
    LargeBinary,
    Table,
    Text,
)

from weighbridge.store.models.types import UTF8, Id, Moment, metadata

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
