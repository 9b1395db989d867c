"""Reports on reclaiming as JSON objects."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.reclaim.keep_rules import KeepRules
from weighbridge.domain.reclaim.reclaim_report import ReclaimReport, Releasing
from weighbridge.presentation.rows.report_rows import keys_of, row_of

MANIFESTS: Final = 10_000
"""Digests of one answer."""


@dataclass(frozen=True, slots=True)
class ReclaimRow:
    """What deleting some tags frees after the registry collected its garbage.

    `manifests` are those of the repository that nothing leads to any more, `blobs` how
    many nothing in the storage scope holds. Null: it is not known, and `reason` says
    why; `reason` also says why nothing is freed.
    """

    freed_bytes: int | None
    manifests: list[Digest]
    blobs: int | None
    reason: str | None


def reclaim_row(report: ReclaimReport) -> ReclaimRow:
    """The API's answer."""
    freed = report.freed
    if freed is None:
        return ReclaimRow(None, [], None, report.reason)
    reason, manifests = report.reason, list(freed.manifests)
    if len(manifests) > MANIFESTS:
        reason = f"of {len(manifests):,} manifests the first {MANIFESTS:,} are listed"
    return ReclaimRow(freed.freed_bytes, manifests[:MANIFESTS], freed.blobs, reason)


@dataclass(frozen=True, slots=True)
class ReleasingRow:
    """The tags of one image, or of another thing, that would go.

    `stays` are other tags of it, at most five; `freed_bytes` is what deleting these
    tags alone frees, and `reason` why that is nothing.
    """

    tags: list[str]
    digest: Digest
    since: datetime
    freed_bytes: int
    stays: list[str]
    reason: str | None


RELEASING_COLUMNS: Final = keys_of(ReleasingRow)


def releasing_json(group: Releasing) -> dict[str, object]:
    """A row of the report."""
    return row_of(RELEASING_COLUMNS, group) | {"reason": group.reason}


def report_json(report: ReclaimReport, rules: KeepRules | None) -> dict[str, object]:
    """What stands beside the rows. rules: by which the tags were chosen"""
    freed = report.freed
    return {
        "registry": report.registry,
        "repository": report.repository,
        "storage_scope": report.storage_scope,
        "stored_bytes": report.stored_bytes,
        "rules": None if rules is None else str(rules),
        "tags": report.tags,
        "freed_bytes": None if freed is None else freed.freed_bytes,
        "elsewhere_bytes": None if freed is None else freed.elsewhere_bytes,
        "manifests": [] if freed is None else list(freed.manifests),
        "blobs": None if freed is None else freed.blobs,
        "reason": report.reason,
        "left_behind": list(report.left_behind),
    }
