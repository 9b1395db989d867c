"""Rows of claims that registries contradict, as API and tables show them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.report.inventory import DisputeReport, Source
from weighbridge.presentation.rows.row_fields import keys_of, row_of


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


DISPUTE_COLUMNS: Final = keys_of(DisputeRow)


def dispute_json(report: DisputeReport) -> dict[str, object]:
    """The row of one claim."""
    return row_of(DISPUTE_COLUMNS, report)
