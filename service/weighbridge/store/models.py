"""The tables of the ledger. Why they look like this: docs/architecture.md. Those of
pushes, violations and messages: push_tables.py.

One id space: everything that a registry stores (layer, config, manifest, index) is
a row of `blobs`, and an image's id, a tag's target and an index's child are blob
ids. The tables of facts and of the ledger name blobs without a foreign key: on
PostgreSQL each insert would lock the row of a base layer that half of the fleet
shares.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from weighbridge.domain.dispute import SOURCES
from weighbridge.domain.measure import COMPRESSED_CONFIDENCES, CONFIDENCES, SEEN
from weighbridge.domain.report import RepositoryState
from weighbridge.store.metadata import Id, metadata
from weighbridge.store.types import UTF8, DigestBytes, Enumeration, Moment

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
LISTED_STATES: Final[tuple[RepositoryState, ...]] = (
    "new",
    "ok",
    "partial",
    "missing",
    "unauthorized",
    "unreachable",
    "error",
)
"""Of repositories that are not gone."""
SUMS_OF_BYTES: Final = (
    "newest",
    "referenced",
    "exclusive",
    "weighed",
    "deduplicated",
    "shared",
)

registries = Table(
    "registries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", UTF8, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("url", UTF8, nullable=False),
    Column("address", UTF8, nullable=False),  # of the URL: see `registry_address`
    Column("storage_scope", Text, nullable=False),
    Column("address_class", Text),  # the first ever seen, see docs/security.md
    Column("interval_s", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("state_reason", UTF8, nullable=False),
    Column("state_since", Moment, nullable=False),
    Column("last_discovery_at", Moment),
    Column("last_complete_discovery_at", Moment),
    # Repositories whose vanishing waits for a second look: a JSON list of their ids.
    Column("held", Text),
    Column("removals_held", Integer, nullable=False),
    # When its HEAD was last found to name another digest than GET serves.
    Column("false_head_at", Moment),
    Column("requests", BigInteger, nullable=False),
    Column("bytes_read", BigInteger, nullable=False),
    # The limit on requests that it told last; NULL where it has told none.
    Column("rate_limit", BigInteger),
    Column("rate_limit_remaining", BigInteger),
    Column("rate_limit_window_s", BigInteger),
    Column("rate_limit_seen_at", Moment),
    Column("revision", BigInteger, nullable=False),
    Index(None, "address"),
)

# The sets inside which a registry keeps a blob once: the whole registry (named ""),
# a project, or a repository. Several entries of one address have a row each: its rows
# of one name are the parts of one scope. Their numbers are the settler's alone.
storage_scopes = Table(
    "storage_scopes",
    metadata,
    Column("id", Id, primary_key=True),
    Column("registry_id", ForeignKey("registries.id"), nullable=False),
    Column("name", UTF8, nullable=False),
    Column("image_count", BigInteger, nullable=False),
    Column("weighed_bytes", BigInteger, nullable=False),
    Column("deduplicated_bytes", BigInteger, nullable=False),
    Column("shared_bytes", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    UniqueConstraint("registry_id", "name"),
)

repositories = Table(
    "repositories",
    metadata,
    Column("id", Id, primary_key=True),
    Column("registry_id", ForeignKey("registries.id"), nullable=False),
    Column("scope_id", ForeignKey("storage_scopes.id"), nullable=False),
    Column("name", UTF8, nullable=False),
    Column("state", Text, nullable=False),
    Column("state_reason", UTF8, nullable=False),
    Column("state_since", Moment, nullable=False),
    Column("gone_at", Moment),  # a tombstone: its history stays, it may return
    Column("due_at", Moment, nullable=False),
    Column("lease_until", Moment),
    Column("lease_owner", UTF8),
    Column("fence", BigInteger, nullable=False),
    # Passes that were begun since one came to an end; those given back do not count.
    Column("attempts", Integer, nullable=False),
    Column("complete_passes", BigInteger, nullable=False),
    # Passes in a row that found the repository missing.
    Column("missing_passes", Integer, nullable=False),
    # Whether a catalog has ever listed it: only then does it mean something that
    # one does not.
    Column("was_listed", Boolean, nullable=False),
    # It came with its registry's first crawl, and its first complete pass is not over:
    # nobody is told of what is found.
    Column("is_silent", Boolean, nullable=False),
    Column("held", Text),  # JSON list of tags whose vanishing waits for a second look
    Column("last_pass_at", Moment),
    Column("last_complete_pass_at", Moment),
    Column("requests", BigInteger, nullable=False),  # of all passes ever
    Column("bytes_read", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    UniqueConstraint("registry_id", "name"),
)
# Tombstones are left out of these: of a registry that lives for long they may be most.
# To say `postgresql_where` here would load that dialect wherever the store is read.
Index(
    "ix_repositories_due_at",
    repositories.c.registry_id,
    repositories.c.due_at,
    sqlite_where=repositories.c.gone_at.is_(None),
)
Index(
    "ix_repositories_last_pass_at",
    repositories.c.registry_id,
    repositories.c.last_pass_at,
    repositories.c.id,
    sqlite_where=repositories.c.gone_at.is_(None),
)
Index(
    "ix_repositories_last_complete_pass_at",
    repositories.c.registry_id,
    repositories.c.last_complete_pass_at,
    sqlite_where=repositories.c.gone_at.is_(None),
)
# What is in hand, and whose. Not by `lease_until`: each batch of a crawl renews that,
# and PostgreSQL then leaves all indexes of the row alone.
Index(
    "ix_repositories_lease_owner",
    repositories.c.lease_owner,
    sqlite_where=repositories.c.lease_owner.is_not(None),
)
# As often as `claiming.STARTS` says.
Index(
    "ix_repositories_attempts",
    repositories.c.attempts,
    sqlite_where=repositories.c.attempts >= 3,
)

# What the repositories of a registry come to that are not gone. Triggers keep it, see
# `migrations.sum_triggers`: whoever reads adds up the rows of a registry, of which
# there may be several, and of which each holds some of the columns. Row 0 counts
# changes of whatever a snapshot shows.
registry_sums = Table(
    "registry_sums",
    metadata,
    Column("id", Id, primary_key=True),
    Column("registry_id", BigInteger, nullable=False),
    Column("revision", BigInteger),
    Column("repositories", BigInteger),
    *(Column(f"are_{state}", BigInteger) for state in LISTED_STATES),
    Column("looked_at", BigInteger),
    Column("tags_held", BigInteger),  # repositories that hold some back
    Column("tags", BigInteger),
    Column("tags_failed", BigInteger),
    Column("with_image", BigInteger),
    Column("summed_up", BigInteger),
    Column("images", BigInteger),
    # Sums of bytes in two halves, see `ledger.sums`.
    *(
        Column(f"{name}_{half}", BigInteger)
        for name in SUMS_OF_BYTES
        for half in ("high", "low")
    ),
)

# Work on a whole registry, or on everything, that several processes share: when it is
# due, and who does it now.
jobs = Table(
    "jobs",
    metadata,
    Column("job", Text, primary_key=True),
    Column("argument", UTF8, primary_key=True),
    Column("due_at", Moment, nullable=False),
    Column("lease_until", Moment),
    Column("lease_owner", UTF8),
    Column("attempts", Integer, nullable=False),  # begun since one came to an end
    Column("done_at", Moment),  # when one last came to an end
)

passes = Table(
    "passes",
    metadata,
    Column("id", Id, primary_key=True),
    Column("repository_id", ForeignKey("repositories.id"), nullable=False),
    Column("registry_id", BigInteger, nullable=False),  # of the repository
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("state", Text, nullable=False),  # running, interrupted, or the result's
    Column("reason", UTF8, nullable=False),
    Column("tags_seen", BigInteger, nullable=False),
    Column("tags_new", BigInteger, nullable=False),
    Column("tags_moved", BigInteger, nullable=False),
    Column("tags_gone", BigInteger, nullable=False),
    Column("tags_failed", BigInteger, nullable=False),
    Column("invalid_tags", BigInteger, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("bytes_read", BigInteger, nullable=False),
    Column("resumes", Integer, nullable=False),  # how often a process took it up again
    # JSON list: tags that were pushed while it runs, as whoever has the claim has seen.
    Column("overtaken", Text),
    Index(None, "repository_id", "id"),
    Index(None, "registry_id", "id"),
)

# The cursor of a pass that is under way: the tags that it need not ask again, written
# in the transaction that kept what they are, deleted when the pass ends. And what is
# still to be asked where that is so much that several processes share it.
pass_chunks = Table(
    "pass_chunks",
    metadata,
    Column("pass_id", ForeignKey("passes.id"), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("step", Integer, nullable=False),  # batches that were kept of it
    Column("names", Text, nullable=False),  # JSON list: tags that were answered about
    Column("tags", Text),  # JSON: what was listed of those to ask; None: all are asked
    Column("found", Text),  # JSON: what its end says to the pass
    Column("lease_until", Moment),
    Column("lease_owner", UTF8),
    sqlite_with_rowid=False,
)
Index(
    "ix_pass_chunks_open",
    pass_chunks.c.pass_id,
    pass_chunks.c.position,
    sqlite_where=pass_chunks.c.tags.is_not(None),
)

# What somebody asked for, by command or API: to crawl a registry, or some of its
# repositories, now.
crawl_requests = Table(
    "crawl_requests",
    metadata,
    Column("id", Id, primary_key=True),
    Column("registry_id", ForeignKey("registries.id"), nullable=False),
    Column("repositories", Text),  # JSON list of names; None: all
    Column("measures", Boolean, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("after_pass", BigInteger, nullable=False),  # the last that had begun before
    # Who waits for it, as long as that process lives; None: nobody.
    Column("owner", UTF8),
    Column("lease_until", Moment),
    Column("state", Text, nullable=False),
    Column("reason", UTF8, nullable=False),
    Column("known", BigInteger),  # its repositories; None: not listed yet
    Column("crawled_at", Moment),
    Column("ended_at", Moment),
    Column("complete", BigInteger),
    Column("partial", BigInteger),
    Column("failed", BigInteger),
    Column("tags", BigInteger),
    Column("requests", BigInteger),
    Column("bytes_read", BigInteger),
)
# Of one registry: those that are under way.
Index(
    "ix_crawl_requests_open",
    crawl_requests.c.registry_id,
    sqlite_where=crawl_requests.c.ended_at.is_(None),
)

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
    # as two do not. See `ledger.facts`.
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

# What the registry answered about a blob of a storage scope, and what the blob's own
# bytes show there, whatever a manifest claims: a row for each that was asked. See
# `domain.measure.Measured`.
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

tags = Table(
    "tags",
    metadata,
    Column("id", Id, primary_key=True),
    Column("repository_id", ForeignKey("repositories.id"), nullable=False),
    Column("name", UTF8, nullable=False),
    Column("natural_key", UTF8, nullable=False),  # see natural_order.py
    Column("target_id", BigInteger),  # None: never read
    Column("first_seen_at", Moment, nullable=False),
    Column("moved_at", Moment),  # None: was there in the first complete pass
    Column("pushed_at", Moment),
    Column("gone_at", Moment),
    Column("error_code", Text),
    Column("error_message", UTF8),
    Column("error_digest", DigestBytes),
    Column("error_at", Moment),
    UniqueConstraint("repository_id", "name"),
    Index(None, "repository_id", "natural_key"),
)

tag_moves = Table(
    "tag_moves",
    metadata,
    Column("tag_id", BigInteger, primary_key=True, autoincrement=False),
    Column("seen_from", Moment, primary_key=True, autoincrement=False),
    Column("target_id", BigInteger, nullable=False),
    Column("seen_until", Moment),
    Column("pushed_at", Moment),
    sqlite_with_rowid=False,
)

OF_SCOPE: Final = (blob_sizes, manifest_sizes, disputes)
"""What is known in a storage scope, and goes with it."""

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

# Manifests whose facts came to a row that was there, or that a tag left: who prunes
# sees that else only by an id that is newer. Kept until the next pruning.
touched_manifests = Table(
    "touched_manifests",
    metadata,
    Column("id", Id, primary_key=True),
    Column("manifest_id", BigInteger),  # None: where a pruning began
)

# The read model, with an index for each order in which repositories are listed. Those
# of growth and of exclusive, deduplicated and shared bytes are made by the migration
# alone: SQLAlchemy does not read indexes of expressions back.
repository_summaries = Table(
    "repository_summaries",
    metadata,
    Column(
        "repository_id",
        ForeignKey("repositories.id"),
        primary_key=True,
        autoincrement=False,
    ),
    # Of the repository; None of one that is gone: it is in no list and in no sum.
    Column("registry_id", BigInteger),
    Column("tag_count", BigInteger, nullable=False),
    Column("image_count", BigInteger, nullable=False),
    Column("tags_failed", BigInteger, nullable=False),
    Column("newest_tag", UTF8),
    Column("newest_image_id", BigInteger),
    Column("newest_platform", UTF8),
    Column("newest_by", Text),
    Column("newest_at", Moment),
    Column("newest_compressed_bytes", BigInteger),
    Column("newest_compressed_confidence", Enumeration(COMPRESSED_CONFIDENCES)),
    Column("newest_uncompressed_bytes", BigInteger),
    Column("newest_uncompressed_confidence", Enumeration(CONFIDENCES)),
    Column("newest_layers", Integer),
    Column("baseline_compressed_bytes", BigInteger),
    Column("heaviest_instruction_id", BigInteger),
    Column("heaviest_compressed_bytes", BigInteger),
    Column("largest_compressed_bytes", BigInteger),
    Column("referenced_bytes", BigInteger),
    Column("weighed_bytes", BigInteger),
    Column("deduplicated_bytes", BigInteger, nullable=False),
    Column("exclusive_bytes", BigInteger, nullable=False),
    # Something below it changed since: what a crash leaves is made good by the next.
    Column("is_stale", Boolean, nullable=False),
    # `referenced_bytes` cannot be told by what tags come to and leave: what one leads
    # to has got another size, or the sum does not fit.
    Column("is_uncounted", Boolean, nullable=False),
    # Something came to it of which the registry may not have been asked.
    Column("is_unmeasured", Boolean, nullable=False),
    Column("changed_at", Moment, nullable=False),  # by `refresh_summary`
    Column("revision", BigInteger, nullable=False),  # counts every change of the row
    # Live tags that stand over a limit of theirs: the rows of `over_tags`, counted.
    Column("over_tags", BigInteger, nullable=False, default=0),
    # What these were found by (`PolicySet.mark_of`); "" for no limit at all.
    Column("limits_mark", Text, nullable=False, default=""),
    # Of some it is not known yet, as their layers are not measured.
    Column("over_waits", Boolean, nullable=False, default=False),
    *(
        Index(
            f"ix_repository_summaries_by_{order}",
            "registry_id",
            column,
            "repository_id",
        )
        for order, column in (
            ("compressed", "newest_compressed_bytes"),
            ("uncompressed", "newest_uncompressed_bytes"),
            ("heaviest", "heaviest_compressed_bytes"),
            ("largest", "largest_compressed_bytes"),
            ("layers", "newest_layers"),
            ("newest", "newest_at"),
            ("referenced", "referenced_bytes"),
            ("weighed", "weighed_bytes"),
            ("tags", "tag_count"),
            ("images", "image_count"),
            ("failed", "tags_failed"),
        )
    ),
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
