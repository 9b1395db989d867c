"""Whether a database that saw trouble says what a clean crawl says now."""

from collections.abc import Mapping
from typing import Final

from support.database_dump import Dump, differences, dump_of_url
from weighbridge.bootstrap.engine.assembly import utc_now
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.session import open_database

_HISTORY: Final = frozenset({"tag_moves", "violations"})
"""Tables of what was before."""
_FACTS: Final = (
    "images",
    "artifacts",
    "indexes",
    "index_members",
    "layers",
    "lines",
    "blobs",
    "blob_sizes",
    "manifest_sizes",
    "scope_blobs",
)
"""Of images that no tag names any more, too: there may be more than a clean crawl
finds, but nothing else of what it finds."""
_OF_PUSHES: Final = ("newest_", "baseline_", "heaviest_", "moved_at", "largest_")
"""Columns that a push changes for good: what was pushed last is the newest."""


def wrong(database_url: str, clean_url: str) -> list[str]:
    """Lines that differ from those of the clean crawl, and totals that are not those of
    their rows; none where all is well."""
    clean, found = dump_of_url(clean_url), dump_of_url(database_url)
    unequal = differences(_now(clean), _now(_without_old(clean, found)))
    return [*unequal.lines, *_unverified(database_url)]


def _unverified(url: str) -> list[str]:
    database = open_database(url)
    try:
        return [str(one) for one in verify(database, {}, utc_now(), lambda *_: None)]
    finally:
        database.close()


def _now(dump: Dump) -> Dump:
    return {
        name: _columns(row)
        for name, row in dump.items()
        if name.partition(" ")[0] not in _HISTORY
    }


def _columns(row: Mapping[str, object]) -> Mapping[str, object]:
    return {c: v for c, v in row.items() if not c.startswith(_OF_PUSHES)}


def _without_old(clean: Dump, found: Dump) -> Dump:
    """But for the facts of what a clean crawl has no reason to look at."""
    return {
        name: row
        for name, row in found.items()
        if name in clean or name.partition(" ")[0] not in _FACTS
    }
