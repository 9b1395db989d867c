"""Steps of a history as JSON objects and as rows of CSV."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from weighbridge.domain.growth.cause import cause_json
from weighbridge.domain.growth.tag_history import StepBy
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.image_base import FoundBy, Relation
from weighbridge.domain.report.history import (
    HistoryReport,
    HistoryStep,
    StepReason,
)
from weighbridge.domain.size.confidence import CompressedConfidence, Confidence
from weighbridge.presentation.rows.policy_rows import CauseRow
from weighbridge.presentation.rows.report_rows import keys_of, row_of


@dataclass(frozen=True, slots=True)
class HistoryLineRow:
    """A line that weighs something; null: it is not known which layer it made."""

    instruction: str
    compressed_bytes: int | None


@dataclass(frozen=True, slots=True)
class StepBaseRow:
    """What an image stands on: its name as people write it in FROM, other names of the
    same layers, how many of the first layers are its, and what they weigh."""

    reference: str
    also: list[str]
    layers: int | None
    compressed_bytes: int | None
    share: float | None
    relation: Relation
    found_by: FoundBy


@dataclass(frozen=True, slots=True)
class HistoryStepRow:
    """From `at` to `until` (null: it does still) the tag led to this, or this was the
    newest image of its repository.

    `at` is when we saw it come; of what was there before the first crawl, when the
    registry says that it was pushed. `by` says why: it was there already, a tag came to
    it, or the tags of what was newer were deleted. `tags` came to it together, at most
    50 of `tag_count` are named. `digest` is what they lead to, `image` that of one
    platform. `grown_bytes` is what it has more (below 0: less) than the image
    `before_digest`, by the `cause`. `lines` are its heaviest, at most 20. `reason` says
    why something is null.
    """

    at: datetime
    seen_at: datetime
    pushed_at: datetime | None
    until: datetime | None
    by: StepBy
    tags: list[str]
    tag_count: int
    digest: Digest
    kind: str | None
    platform: str | None
    image: Digest | None
    compressed_bytes: int | None
    compressed_confidence: CompressedConfidence | None
    claimed_bytes: int | None
    uncompressed_bytes: int | None
    uncompressed_confidence: Confidence | None
    layers: int | None
    before_digest: Digest | None
    grown_bytes: int | None
    baseline_compressed_bytes: int | None
    base: StepBaseRow | None
    lines: list[HistoryLineRow] | None
    cause: CauseRow | None
    reason: StepReason | None


@dataclass(frozen=True, slots=True)
class HistoryAnswer:
    """A page of steps, the latest first. `tag` is null for a repository: its steps are
    what its newest image was. `reason` says why steps may be missing, null: none is.
    `next_cursor` asks for the steps before these; null: there are none."""

    registry: str
    repository: str
    tag: str | None
    reason: str | None
    items: list[HistoryStepRow]
    next_cursor: str | None


_STEP: Final = keys_of(HistoryStepRow)
_NESTED: Final = ("base", "lines", "cause")
_OF_LINES: Final = (
    "base",
    "base_compressed_bytes",
    "heaviest_instruction",
    "heaviest_compressed_bytes",
    "cause_of",
    "cause_instruction",
    "cause_grown_bytes",
)
HISTORY_COLUMNS: Final = (*(key for key in _STEP if key not in _NESTED), *_OF_LINES)
"""What is flat; then the base, the heaviest line, and the line that did most of the
change."""


def step_json(step: HistoryStep) -> dict[str, object]:
    """The row of one step."""
    lines = None if step.lines is None else [row_of(_LINE, y) for y in step.lines]
    cause = None if step.cause is None else cause_json(step.cause)
    base = None if step.base is None else step.base.as_json()
    return row_of(_STEP, step, base=base, lines=lines, cause=cause)


_LINE: Final = keys_of(HistoryLineRow)


def step_cells(step: HistoryStep) -> dict[str, object]:
    """The same for CSV."""
    heaviest = step.lines[0] if step.lines else None
    change = step.leading_change
    flat = [key for key in _STEP if key not in _NESTED]
    return row_of(flat, step) | {
        "base": step.base and step.base.reference,
        "base_compressed_bytes": step.base and step.base.compressed_bytes,
        "heaviest_instruction": heaviest and heaviest.instruction,
        "heaviest_compressed_bytes": heaviest and heaviest.compressed_bytes,
        "cause_of": step.cause and step.cause.of,
        "cause_instruction": change and change.instruction,
        "cause_grown_bytes": change and change.grown_amount,
    }


def history_about(report: HistoryReport) -> dict[str, object]:
    """What stands beside the items."""
    return row_of(("registry", "repository", "tag"), report) | {
        "reason": report.reason,
        "next_cursor": report.next_cursor,
    }


def history_json(report: HistoryReport) -> dict[str, object]:
    """One page, as the API answers it."""
    items: Sequence[object] = [step_json(step) for step in report.items]
    about = history_about(report)
    cursor = about.pop("next_cursor")
    return {**about, "items": items, "next_cursor": cursor}
