"""What is known, as rows for API, pages, metrics and tables: reading only."""

from weighbridge.store.reports.crawls import CRAWL_CURSOR, crawl_page, find_crawl
from weighbridge.store.reports.disputes import (
    DISPUTE_CURSOR,
    DisputeQuery,
    dispute_page,
)
from weighbridge.store.reports.inventory import (
    InventoryRow,
    SizeCounts,
    counts_above,
    heaviest_ids,
    heaviest_newest_images,
    inventory_pieces,
    newest_images,
    newest_sizes,
    pinned_ids,
    size_at_rank,
)
from weighbridge.store.reports.registries import (
    registry_freshness,
    registry_names,
    registry_reports,
    snapshot_version,
    was_crawled,
)
from weighbridge.store.reports.repositories import (
    find_repository,
    repository_page,
    weighed,
)
from weighbridge.store.reports.repository_order import (
    REPOSITORY_CURSORS,
    SORTS,
    RepositoryQuery,
    in_order_of_cursor,
)
from weighbridge.store.reports.search import SearchResult, matches_anything, search
from weighbridge.store.reports.tags import TAG_CURSOR, aliases, tag_page
from weighbridge.store.reports.violations import (
    VIOLATION_CURSORS,
    OpenRow,
    StateFilter,
    ViolationQuery,
    not_waived,
    open_counts,
    open_rows,
    violating_ids,
    violation_page,
)
from weighbridge.store.reports.weighing import find_weighing

__all__ = [
    "CRAWL_CURSOR",
    "DISPUTE_CURSOR",
    "REPOSITORY_CURSORS",
    "SORTS",
    "TAG_CURSOR",
    "VIOLATION_CURSORS",
    "DisputeQuery",
    "InventoryRow",
    "OpenRow",
    "RepositoryQuery",
    "SearchResult",
    "SizeCounts",
    "StateFilter",
    "ViolationQuery",
    "aliases",
    "counts_above",
    "crawl_page",
    "dispute_page",
    "find_crawl",
    "find_repository",
    "find_weighing",
    "heaviest_ids",
    "heaviest_newest_images",
    "in_order_of_cursor",
    "inventory_pieces",
    "matches_anything",
    "newest_images",
    "newest_sizes",
    "not_waived",
    "open_counts",
    "open_rows",
    "pinned_ids",
    "registry_freshness",
    "registry_names",
    "registry_reports",
    "repository_page",
    "search",
    "size_at_rank",
    "snapshot_version",
    "tag_page",
    "violating_ids",
    "violation_page",
    "was_crawled",
    "weighed",
]
