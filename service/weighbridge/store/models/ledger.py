"""Registries, repositories, tags: what there is, what each repository holds, and what
that comes to: the read model."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    func,
    literal_column,
)

from weighbridge.domain.report.inventory import RepositoryState
from weighbridge.domain.size.confidence import COMPRESSED_CONFIDENCES, CONFIDENCES
from weighbridge.store.models.types import (
    UTF8,
    DigestBytes,
    Enumeration,
    Id,
    Moment,
    metadata,
)

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
    # Repositories whose deletion waits for a second crawl: a JSON list of their ids.
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
    # The kind that its own answers show, where the configuration leaves it to us, and
    # what showed it; NULL: it was never asked. Of this address, and kept as long as it.
    Column("kind_found", Text),
    Column("kind_sign", UTF8),
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
)
UniqueConstraint(storage_scopes.c.registry_id, storage_scopes.c.name)

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
    Column("deleted_at", Moment),  # a tombstone: its history stays, it may return
    Column("due_at", Moment, nullable=False),
    Column("lease_until", Moment),
    Column("lease_owner", UTF8),
    Column("fence", BigInteger, nullable=False),
    # Crawls that were begun since one came to an end; those given back do not count.
    Column("attempts", Integer, nullable=False),
    Column("complete_crawls", BigInteger, nullable=False),
    # Crawls in a row that found the repository missing.
    Column("missing_crawls", Integer, nullable=False),
    # Whether a catalog has ever listed it: only then does it mean something that
    # one does not.
    Column("was_listed", Boolean, nullable=False),
    # It came with its registry's first crawl, and since its first complete one nothing
    # was pushed to it: nobody is told of what it stores.
    Column("is_silent", Boolean, nullable=False),
    Column("held", Text),  # JSON list of tags whose deletion waits for a second crawl
    Column("last_crawl_at", Moment),
    Column("last_complete_crawl_at", Moment),
    Column("requests", BigInteger, nullable=False),  # of all crawls ever
    Column("bytes_read", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
)
UniqueConstraint(repositories.c.registry_id, repositories.c.name)
# Tombstones are left out of these: of a registry that lives for long they may be most.
# To say `postgresql_where` here would load that dialect wherever the store is read.
Index(
    "ix_repositories_due_at",
    repositories.c.registry_id,
    repositories.c.due_at,
    sqlite_where=repositories.c.deleted_at.is_(None),
)
Index(
    "ix_repositories_last_crawl_at",
    repositories.c.registry_id,
    repositories.c.last_crawl_at,
    repositories.c.id,
    sqlite_where=repositories.c.deleted_at.is_(None),
)
Index(
    "ix_repositories_last_complete_crawl_at",
    repositories.c.registry_id,
    repositories.c.last_complete_crawl_at,
    sqlite_where=repositories.c.deleted_at.is_(None),
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
# `creation`: whoever reads adds up the rows of a registry, of which there may be
# several, and of which each holds some of the columns. Row 0 counts changes of whatever
# a snapshot shows.
registry_sums = Table(
    "registry_sums",
    metadata,
    Column("id", Id, primary_key=True),
    Column("registry_id", BigInteger, nullable=False),
    Column("revision", BigInteger),
    Column("repositories", BigInteger),
    *(Column(f"are_{state}", BigInteger) for state in LISTED_STATES),
    Column("are_crawled", BigInteger),
    Column("tags_held", BigInteger),  # repositories that hold some back
    Column("tags", BigInteger),
    Column("tags_failed", BigInteger),
    Column("with_image", BigInteger),
    Column("summed_up", BigInteger),
    Column("images", BigInteger),
    # Sums of bytes in two halves, see `ledger.expressions`.
    *(
        Column(f"{name}_{half}", BigInteger)
        for name in SUMS_OF_BYTES
        for half in ("high", "low")
    ),
)

tags = Table(
    "tags",
    metadata,
    Column("id", Id, primary_key=True),
    Column("repository_id", ForeignKey("repositories.id"), nullable=False),
    Column("name", UTF8, nullable=False),
    Column("natural_key", UTF8, nullable=False),  # see `tag_rows.natural_key`
    Column("target_id", BigInteger),  # None: never read
    Column("first_seen_at", Moment, nullable=False),
    Column("moved_at", Moment),  # None: was there in the first complete crawl
    Column("pushed_at", Moment),
    Column("deleted_at", Moment),
    Column("error_code", Text),
    Column("error_message", UTF8),
    Column("error_digest", DigestBytes),
    Column("error_at", Moment),
    Index(None, "repository_id", "natural_key"),
)
# Those that moved last, and of these the one that was pushed last.
Index(
    "ix_tags_moved_last",
    tags.c.repository_id,
    func.coalesce(tags.c.moved_at, tags.c.first_seen_at).desc(),
    func.coalesce(tags.c.pushed_at, literal_column("-1")).desc(),
    tags.c.natural_key.desc(),
)
UniqueConstraint(tags.c.repository_id, tags.c.name)

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

# Tags that moved and that no policy has been held against yet: written with the move,
# deleted with the verdict. None of a repository's first crawl: there only its newest
# image is judged.
unjudged = Table(
    "unjudged",
    metadata,
    Column("repository_id", BigInteger, primary_key=True, autoincrement=False),
    Column("tag_id", BigInteger, primary_key=True, autoincrement=False),
    Column("is_silent", Boolean, nullable=False),  # nobody is to be told
    # All was judged but its uncompressed size, which is not known yet.
    Column("is_weighed", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

# Tags that stand over a limit of theirs, whatever came after them: a row for each
# platform and limit. Written with the verdict of whoever moved the tag, and swept where
# policies or sizes changed (`store/tags/judged_tags.py`).
over_tags = Table(
    "over_tags",
    metadata,
    Column("repository_id", BigInteger, primary_key=True, autoincrement=False),
    Column("tag_id", BigInteger, primary_key=True, autoincrement=False),
    Column("platform", UTF8, primary_key=True),
    Column("limit_key", Text, primary_key=True),
    Column("policy", UTF8, nullable=False),
    Column("team", UTF8),
    Column("severity", Text, nullable=False),
    Column("image_id", BigInteger, nullable=False),
    Column("limit_amount", BigInteger, nullable=False),  # bytes, or a number of layers
    Column("amount", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

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
    # In which of 50,000 scopes a blob is held: see `scopes`.
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

# The read model, with an index for each order in which repositories are listed. Those
# of growth and of exclusive, deduplicated and shared bytes are made by `creation`, each
# over its expression as a query has it.
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
