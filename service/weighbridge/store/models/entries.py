"""Registries, their repositories and storage scopes, and what those come to."""

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
)

from weighbridge.domain.report.inventory import RepositoryState
from weighbridge.store.models.types import UTF8, Id, Moment, metadata

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
    # It came with its registry's first crawl, and its first complete crawl is not over:
    # nobody is told of what is found.
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
# `sum_triggers`: whoever reads adds up the rows of a registry, of which
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
    Column("are_crawled", BigInteger),
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
