"""What manifests and configs say, facts that never change; and what registries answered
about sizes, in each storage scope."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from weighbridge.domain.report.inventory import SOURCES
from weighbridge.domain.size.confidence import COMPRESSED_CONFIDENCES, CONFIDENCES, SEEN
from weighbridge.store.models.types import (
    UTF8,
    DigestBytes,
    Enumeration,
    Id,
    Moment,
    metadata,
)

ALIGNMENTS: Final = ("exact", "inferred", "unresolved")
ROLES: Final = ("image", "index", "attestation", "artifact")
FACTS_STATES: Final = (
    "none",
    "missing",
    "image",
    "index",
    "artifact",
    "unweighable",
)
"""What is known of a blob as a manifest. `none`: never read as one, as every layer
and config; `missing`: an index lists it and it could not be read (`facts_code` says
why), or it was pruned; the others: its document was read, and its facts never change
again."""
KEPT_STATES: Final = FACTS_STATES[2:]
"""Who claims what the registry contradicts: a manifest, or a bulk API's listing."""

media_types = Table(
    "media_types",
    metadata,
    Column("id", Id, primary_key=True),
    Column("text", UTF8, nullable=False, unique=True),
)

platforms = Table(
    "platforms",
    metadata,
    Column("id", Id, primary_key=True),
    Column("text", UTF8, nullable=False, unique=True),
    Column("os", UTF8, nullable=False),
    Column("architecture", UTF8, nullable=False),
    Column("variant", UTF8, nullable=False),
    Column("os_version", UTF8, nullable=False),
)

instructions = Table(
    "instructions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("text_digest", LargeBinary, nullable=False, unique=True),  # sha256
    Column("text", UTF8, nullable=False),
)

blobs = Table(
    "blobs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("digest", DigestBytes, nullable=False, unique=True),
    Column("compressed_bytes", BigInteger),  # the first claim ever; None: none yet
    # Its length, of what was read whole and hashed (manifests, configs): nobody's word.
    Column("read_bytes", BigInteger),
    # What it counts in totals: its length if we read it (`is_known`). Else, where the
    # registry's word is not known, the claim while all documents agree, and 0 as soon
    # as two do not. See `ledger.expressions`.
    Column("counted_bytes", BigInteger, nullable=False),
    Column("is_known", Boolean, nullable=False),
    Column("media_type_id", BigInteger),
    Column("is_layer", Boolean, nullable=False),  # of an image: it is measured
    Column("is_foreign", Boolean, nullable=False),  # every claim so far says so
    Column("has_conflict", Boolean, nullable=False),  # another claim came later
    # Documents disagree about its format: its end alone does not show it.
    Column("has_format_conflict", Boolean, nullable=False),
    # PostgreSQL: claims changed what it counts, which the settler is to write.
    Column("is_uncounted", Boolean, nullable=False),
    Column("facts_state", Enumeration(FACTS_STATES), nullable=False),
    Column("facts_code", Text),
)
Index(
    "ix_blobs_uncounted",
    blobs.c.id,
    sqlite_where=blobs.c.is_uncounted,
)

images = Table(
    "images",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("platform_id", BigInteger, nullable=False),
    Column("config_id", BigInteger, nullable=False),
    Column("created_at", Moment),
    # Both by this manifest's own claims; by the registry's word: `manifest_sizes`.
    Column("compressed_bytes", BigInteger, nullable=False),
    Column("stored_bytes", BigInteger, nullable=False),
    Column("layer_count", Integer, nullable=False),
    Column("history_alignment", Enumeration(ALIGNMENTS), nullable=False),
    Column("problems", UTF8),  # JSON list of [code, message], None: none
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("role", Enumeration(ROLES), nullable=False),
    Column("artifact_type", UTF8, nullable=False),
    Column("config_id", BigInteger),
    Column("stored_bytes", BigInteger, nullable=False),
)

index_members = Table(
    "index_members",
    metadata,
    Column("index_id", BigInteger, primary_key=True, autoincrement=False),
    Column("position", SmallInteger, primary_key=True, autoincrement=False),
    Column("child_id", BigInteger, nullable=False),
    Column("role", Enumeration(ROLES), nullable=False),
    Column("platform_id", BigInteger),  # as the index says
    sqlite_with_rowid=False,
)

# An image's layers, and the blobs of an artifact.
layers = Table(
    "layers",
    metadata,
    Column("image_id", BigInteger, primary_key=True, autoincrement=False),
    Column("position", SmallInteger, primary_key=True, autoincrement=False),
    # What this manifest says of the blob; nobody's false claim changes another image.
    Column("is_foreign", Boolean, nullable=False),
    Column("blob_id", BigInteger, nullable=False),
    # Its size and media type, where they are not what the blob's row says.
    Column("claimed_bytes", BigInteger),
    Column("media_type_id", BigInteger),
    Column("annotated_uncompressed_bytes", BigInteger),
    sqlite_with_rowid=False,
)
Index(
    "ix_layers_claimed",
    layers.c.blob_id,
    sqlite_where=layers.c.claimed_bytes.is_not(None),
)

lines = Table(
    "lines",
    metadata,
    Column("image_id", Id, primary_key=True, autoincrement=False),
    # JSON: [[instruction id, created in microseconds or null, layer or null], ...]
    Column("entries", Text, nullable=False),
)

# Manifests whose facts came to a row that was there, or that a tag left: who prunes
# sees that else only by an id that is newer. Kept until the next pruning.
touched_manifests = Table(
    "touched_manifests",
    metadata,
    Column("id", Id, primary_key=True),
    Column("manifest_id", BigInteger),  # None: where a pruning began
)

# What the registry answered about a blob of a storage scope, and what the blob's own
# bytes show there, whatever a manifest claims: a row for each that was asked. See
# `domain.size.confidence.MeasuredBlob`.
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
