"""What is known, as rows for API, pages, metrics and tables: reading only."""

from weighbridge.store.reports.passes import find_pass, pass_page
from weighbridge.store.reports.registries import registry_reports, snapshot_version
from weighbridge.store.reports.repositories import (
    SORTS,
    RepositoryQuery,
    find_repository,
    repository_page,
    repository_rows,
    weighed,
)
from weighbridge.store.reports.search import search
from weighbridge.store.reports.tags import aliases, tag_page
from weighbridge.store.reports.weighing import find_weighing

__all__ = [
    "SORTS",
    "RepositoryQuery",
    "aliases",
    "find_pass",
    "find_repository",
    "find_weighing",
    "pass_page",
    "registry_reports",
    "repository_page",
    "repository_rows",
    "search",
    "snapshot_version",
    "tag_page",
    "weighed",
]
