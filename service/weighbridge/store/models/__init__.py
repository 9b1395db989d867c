"""The tables of the ledger. Why they look like this: docs/architecture.md.

One id space: everything that a registry stores (layer, config, manifest, index) is
a row of `blobs`, and an image's id, a tag's target and an index's child are blob
ids. The tables of facts and of the ledger name blobs without a foreign key: on
PostgreSQL each insert would lock the row of a base layer that half of the fleet
shares.
"""

from typing import Final

from weighbridge.store.models.access import audit_log, tokens
from weighbridge.store.models.documents import (
    ALIGNMENTS,
    FACTS_STATES,
    KEPT_STATES,
    ROLES,
    artifacts,
    blobs,
    images,
    index_members,
    instructions,
    layers,
    lines,
    media_types,
    platforms,
    touched_manifests,
)
from weighbridge.store.models.entries import (
    LISTED_STATES,
    SUMS_OF_BYTES,
    registries,
    registry_sums,
    repositories,
    storage_scopes,
)
from weighbridge.store.models.episodes import violations, waivers
from weighbridge.store.models.holdings import (
    blob_changes,
    repository_blobs,
    repository_manifests,
    scope_blobs,
)
from weighbridge.store.models.inbox import pushes
from weighbridge.store.models.messages import (
    CLOSED,
    OPEN_AGAIN,
    REVOCABLE,
    WAIVED,
    channel_paces,
    notification_groups,
    notifications,
)
from weighbridge.store.models.summaries import repository_summaries
from weighbridge.store.models.tagging import over_tags, tag_moves, tags, unjudged
from weighbridge.store.models.types import metadata
from weighbridge.store.models.weights import (
    OF_SCOPE,
    blob_sizes,
    disputes,
    manifest_sizes,
)
from weighbridge.store.models.work import crawl_chunks, crawl_requests, crawls, jobs

SCHEMA: Final = metadata
"""Every table: whoever loads this package has loaded them all."""

__all__ = [
    "ALIGNMENTS",
    "CLOSED",
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
    "blob_changes",
    "blob_sizes",
    "blobs",
    "channel_paces",
    "crawl_chunks",
    "crawl_requests",
    "crawls",
    "disputes",
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
    "pushes",
    "registries",
    "registry_sums",
    "repositories",
    "repository_blobs",
    "repository_manifests",
    "repository_summaries",
    "scope_blobs",
    "storage_scopes",
    "tag_moves",
    "tags",
    "tokens",
    "touched_manifests",
    "unjudged",
    "violations",
    "waivers",
]
