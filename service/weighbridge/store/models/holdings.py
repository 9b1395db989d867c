"""The ledger: what is live, what each repository holds, and each scope."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Table,
)

from weighbridge.store.models.types import Id, metadata

# What is live in a repository: reachable from its tags, through indexes.
repository_manifests = Table(
    "repository_manifests",
    metadata,
    Column("repository_id", BigInteger, primary_key=True, autoincrement=False),
    Column("manifest_id", BigInteger, primary_key=True, autoincrement=False),
    Column("tag_count", Integer, nullable=False),
    Column("index_count", Integer, nullable=False),
    Index(None, "manifest_id"),
    sqlite_with_rowid=False,
)

# The ledger: what each repository holds, how many of its live manifests hold it, and
# in whose hands a blob is. The key's order serves every question that is asked of it.
repository_blobs = Table(
    "repository_blobs",
    metadata,
    Column("scope_id", BigInteger, primary_key=True, autoincrement=False),
    Column("blob_id", BigInteger, primary_key=True, autoincrement=False),
    Column("repository_id", BigInteger, primary_key=True, autoincrement=False),
    Column("manifest_count", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# Settled: a row for each blob that a repository of the scope holds.
scope_blobs = Table(
    "scope_blobs",
    metadata,
    Column("scope_id", BigInteger, primary_key=True, autoincrement=False),
    Column("blob_id", BigInteger, primary_key=True, autoincrement=False),
    Column("sole_repository_id", BigInteger),  # None: several hold it
    # In which of 50,000 scopes a blob is held: see `holders`.
    Index(None, "blob_id", "scope_id"),
    sqlite_with_rowid=False,
)

# PostgreSQL: what changed hands and waits for the settler. SQLite settles at once.
blob_changes = Table(
    "blob_changes",
    metadata,
    Column("id", Id, primary_key=True),
    Column("scope_id", BigInteger, nullable=False),
    Column("blob_id", BigInteger, nullable=False),
    Index(None, "scope_id", "id"),
)
