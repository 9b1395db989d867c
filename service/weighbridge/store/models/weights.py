"""What registries answered about sizes, in each storage scope."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

from weighbridge.domain.report.inventory import SOURCES
from weighbridge.domain.size.confidence import COMPRESSED_CONFIDENCES, CONFIDENCES, SEEN
from weighbridge.store.models.types import Enumeration, Id, Moment, metadata

# What the registry answered about a blob of a storage scope, and what the blob's own
# bytes show there, whatever a manifest claims: a row for each that was asked. See
# `domain.size.confidence.Measured`.
blob_sizes = Table(
    "blob_sizes",
    metadata,
    Column("scope_id", BigInteger, primary_key=True, autoincrement=False),
    Column("blob_id", BigInteger, primary_key=True, autoincrement=False),
    # Its length by the registry's word; None: it gave none.
    Column("registry_bytes", BigInteger),
    # Why there is no word; None: there is one, or no answer came at all.
    Column("claim_reason", Text),
    # None: no bytes of it were read.
    Column("seen_format", Enumeration(SEEN)),
    # None: its length alone was asked for, or no answer came.
    Column("uncompressed_confidence", Enumeration(CONFIDENCES)),
    Column("uncompressed_bytes", BigInteger),
    Column("uncompressed_low_bytes", BigInteger),
    Column("uncompressed_high_bytes", BigInteger),
    Column("uncompressed_reason", Text),
    Column("asked_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),  # since an answer came that will do
    Column("ask_again_at", Moment),  # None: never
    sqlite_with_rowid=False,
)
Index(
    "ix_blob_sizes_ask_again",
    blob_sizes.c.scope_id,
    blob_sizes.c.ask_again_at,
    sqlite_where=blob_sizes.c.ask_again_at.is_not(None),
)

# What an image or an artifact weighs in a storage scope, by the registry's word on its
# blobs. No row, or not `is_whole`: some blob was not answered yet.
manifest_sizes = Table(
    "manifest_sizes",
    metadata,
    Column("scope_id", BigInteger, primary_key=True, autoincrement=False),
    Column("manifest_id", BigInteger, primary_key=True, autoincrement=False),
    Column("stored_bytes", BigInteger, nullable=False),
    # From here on: of an image.
    Column("compressed_bytes", BigInteger),
    Column("compressed_confidence", Enumeration(COMPRESSED_CONFIDENCES)),
    Column("uncompressed_bytes", BigInteger),
    Column("uncompressed_confidence", Enumeration(CONFIDENCES)),
    Column("is_whole", Boolean, nullable=False),
    # Whether a size differs from what the manifest claims: such rows are few.
    Column("is_changed", Boolean, nullable=False),
    sqlite_with_rowid=False,
)
Index(
    "ix_manifest_sizes_changed",
    manifest_sizes.c.scope_id,
    manifest_sizes.c.manifest_id,
    sqlite_where=manifest_sizes.c.is_changed,
)

# Claims that the registry contradicts, each noted when it was learned.
disputes = Table(
    "disputes",
    metadata,
    Column("id", Id, primary_key=True),
    Column("scope_id", BigInteger, nullable=False),
    Column("manifest_id", BigInteger, nullable=False),  # whose claim it is
    # What it is about; of a bulk listing's size the image itself.
    Column("blob_id", BigInteger, nullable=False),
    Column("source", Enumeration(SOURCES), nullable=False),
    Column("claimed_bytes", BigInteger, nullable=False),
    Column("seen_at", Moment, nullable=False),
    UniqueConstraint("scope_id", "manifest_id", "blob_id", "source"),
    Index(None, "scope_id", "blob_id"),
)

OF_SCOPE: Final = (blob_sizes, manifest_sizes, disputes)
"""What is known in a storage scope, and goes with it."""
