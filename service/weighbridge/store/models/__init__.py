"""The tables of the ledger. Why they look like this: docs/architecture.md.

One id space: everything that a registry stores (layer, config, manifest, index) is
a row of `blobs`, and an image's id, a tag's target and an index's child are blob
ids. The tables of facts and of the ledger name blobs without a foreign key: on
PostgreSQL each insert would lock the row of a base layer that half of the fleet
shares.
"""

from typing import Final

from weighbridge.store.models.bases import (
    ENDLESS,
    base_chains,
    base_names,
    base_readings,
    base_repositories,
    base_summaries,
    image_bases,
)
from weighbridge.store.models.facts import (
    ALIGNMENTS,
    FACTS_STATES,
    KEPT_STATES,
    OF_SCOPE,
    ROLES,
    artifacts,
    blob_sizes,
    blobs,
    disputes,
    images,
    index_members,
    instructions,
    layers,
    lines,
    manifest_sizes,
    media_types,
    platforms,
    touched_manifests,
)
from weighbridge.store.models.ledger import (
    LISTED_STATES,
    SUMS_OF_BYTES,
    blob_changes,
    over_tags,
    registries,
    registry_sums,
    repositories,
    repository_blobs,
    repository_manifests,
    repository_summaries,
    scope_blobs,
    storage_scopes,
    tag_moves,
    tags,
    unjudged,
)
from weighbridge.store.models.people import (
    CLOSED,
    OPEN_AGAIN,
    REVOCABLE,
    WAIVED,
    audit_log,
    channel_paces,
    notification_groups,
    notifications,
    tokens,
    violations,
    waivers,
)
from weighbridge.store.models.traffic import (
    pull_months,
    repository_pulls,
    storage_months,
    tag_pulls,
)
from weighbridge.store.models.types import metadata
from weighbridge.store.models.work import (
    crawl_chunks,
    crawl_requests,
    crawls,
    jobs,
    pushes,
)

SCHEMA: Final = metadata
"""Every table: whoever loads this package has loaded them all."""

__all__ = [
    "ALIGNMENTS",
    "CLOSED",
    "ENDLESS",
    "FACTS_STATES",
    "KEPT_STATES",
    "LISTED_STATES",
    "OF_SCOPE",
    "OPEN_AGAIN",
    "REVOCABLE",
    "ROLES",
    "SCHEMA",
    "SUMS_OF_BYTES",
    "WAIVED",
    "artifacts",
    "audit_log",
    "base_chains",
    "base_names",
    "base_readings",
    "base_repositories",
    "base_summaries",
    "blob_changes",
    "blob_sizes",
    "blobs",
    "channel_paces",
    "crawl_chunks",
    "crawl_requests",
    "crawls",
    "disputes",
    "image_bases",
    "images",
    "index_members",
    "instructions",
    "jobs",
    "layers",
    "lines",
    "manifest_sizes",
    "media_types",
    "notification_groups",
    "notifications",
    "over_tags",
    "platforms",
    "pull_months",
    "pushes",
    "registries",
    "registry_sums",
    "repositories",
    "repository_blobs",
    "repository_manifests",
    "repository_pulls",
    "repository_summaries",
    "scope_blobs",
    "storage_months",
    "storage_scopes",
    "tag_moves",
    "tag_pulls",
    "tags",
    "tokens",
    "touched_manifests",
    "unjudged",
    "violations",
    "waivers",
]
