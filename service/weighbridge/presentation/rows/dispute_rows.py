"""Rows of claims that registries contradict, as API and tables show them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.report.inventory import DisputeReport, Page, Source
from weighbridge.domain.size.weighing import rfc3339


@dataclass(frozen=True, slots=True)
class DisputeRow:
    """A size that a manifest or a listing claims, and that the registry contradicts.

    `digest` is the blob's (of a listing's size the image's own), `image` that of the
    manifest whose claim it is, `tags` at most ten that lead to it. What is judged and
    summed up is `registry_bytes`.
    """

    registry: str
    repository: str
    tags: list[str]
    image: Digest
    digest: Digest
    claimed_bytes: int
    registry_bytes: int
    source: Source
    seen_at: datetime


DISPUTE_COLUMNS: Final = tuple(DisputeRow.__dataclass_fields__)


def dispute_json(report: DisputeReport) -> dict[str, object]:
    """The row of one claim."""
    return {
        "registry": report.registry,
        "repository": report.repository,
        "tags": list(report.tags),
        "image": report.image,
        "digest": report.digest,
        "claimed_bytes": report.claimed_bytes,
        "registry_bytes": report.registry_bytes,
        "source": report.source,
        "seen_at": rfc3339(report.seen_at),
    }


def dispute_cells(report: DisputeReport) -> Mapping[str, object]:
    """The same as a row of a flat table."""
    return dispute_json(report) | {"tags": " ".join(report.tags)}


def dispute_page_json(page: Page[DisputeReport]) -> dict[str, object]:
    """One page of a list."""
    items = [dispute_json(report) for report in page.items]
    return {"items": items, "next_cursor": page.next_cursor}
