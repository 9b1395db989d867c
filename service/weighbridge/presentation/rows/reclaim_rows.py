"""Reports on reclaiming as JSON objects."""

from dataclasses import dataclass
from typing import Final

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.reclaim.reclaim_report import ReclaimReport

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
