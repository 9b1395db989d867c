"""Violations and waivers as JSON objects: the keys of the API, of CSV and of lists."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from weighbridge.domain.growth.cause import CauseOf, ChangeKind, cause_json
from weighbridge.domain.growth.quantity import Quantity
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.policy.policy import LimitKey, Severity
from weighbridge.domain.policy.waiver import Waiver, WaiverState
from weighbridge.domain.report.inventory import Page
from weighbridge.domain.report.violation import ViolationReport, ViolationState
from weighbridge.domain.size.confidence import CompressedConfidence
from weighbridge.domain.size.weighing import rfc3339
from weighbridge.presentation.rows.row_fields import keys_of, page_of_rows, row_of


@dataclass(frozen=True, slots=True)
class WaiverRow:
    """One waiver. The names are patterns; `limit_key` null: every limit."""

    id: int
    registry: str
    repository: str
    tag: str
    limit_key: LimitKey | None
    reason: str
    author: str
    state: WaiverState
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    revoked_by: str | None


@dataclass(frozen=True, slots=True)
class WaiverInput:
    """What is to be waived: names or patterns, in which `*` stands for any text;
    `limit_key` null: every limit; `expires_at` a day, or a moment with its zone
    (RFC 3339)."""

    registry: str
    repository: str
    reason: str
    expires_at: str
    tag: str = "*"
    limit_key: LimitKey | None = None


WAIVER_COLUMNS: Final = keys_of(WaiverRow)


def waiver_json(waiver: Waiver, now: datetime) -> dict[str, object]:
    """The row of one waiver."""
    return row_of(WAIVER_COLUMNS, waiver, state=waiver.state(now))


Unit: TypeAlias = Literal["bytes", "layers"]


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One line that is not what it was, in the cause's `quantity`. Null: there was no
    such line, or it is not known. `grown_amount` is below 0 where it got lighter."""

    kind: ChangeKind
    instruction: str
    before_amount: int | None
    amount: int | None
    grown_amount: int | None
    of_base: bool


@dataclass(frozen=True, slots=True)
class CauseRow:
    """What changed against the image before, what added most of what is limited first.

    `quantity` is what amounts are: bytes, or layers. Of `unknown_lines` of the lines
    that changed it is not known what they added.
    """

    of: CauseOf
    quantity: Quantity
    grown_amount: int
    base_grown_amount: int
    unknown_lines: int
    changes: list[ChangeRow]


@dataclass(frozen=True, slots=True)
class ViolationRow:
    """One episode in which a limit was exceeded, from the push that did it.

    `limit_amount`, `amount` and `excess` are in `unit`; of `max_growth` they are the
    compressed bytes that the image may have, has, and has too many. `within_tag` and
    `within_amount` are of the image that ended it. With `all_tags` tags follow that
    stand over their limit and are not the newest of their stream: their state is
    `over`, they have no `id`, and no notification is sent.
    """

    id: int | None
    registry: str
    repository: str
    tag: str | None
    digest: Digest | None
    platform: str | None
    stream: str | None
    policy: str
    team: str | None
    severity: Severity
    state: ViolationState
    limit_key: LimitKey
    unit: Unit
    limit_amount: int
    amount: int
    excess: int
    baseline_compressed_bytes: int | None
    before_compressed_bytes: int | None
    compressed_confidence: CompressedConfidence | None
    is_silent: bool
    opened_at: datetime | None
    pushed_at: datetime | None
    changed_at: datetime | None
    closed_at: datetime | None
    closed_by: str | None
    within_tag: str | None
    within_amount: int | None
    cause: CauseRow | None
    waiver: WaiverRow | None


_OF_CAUSE: Final = (
    "cause_of",
    "cause_instruction",
    "cause_quantity",
    "cause_grown_amount",
)
_OF_WAIVER: Final = ("waiver_reason", "waiver_author", "waiver_expires_at")
_KEYS: Final = keys_of(ViolationRow)
VIOLATION_COLUMNS: Final = (
    *_KEYS[:-2],
    *_OF_CAUSE,
    *_OF_WAIVER,
)
"""Of a flat table: the heaviest change stands for the cause."""


def unit_of(key: LimitKey) -> Unit:
    """What a limit is counted in."""
    return "layers" if key == "max_layers" else "bytes"


def violation_json(report: ViolationReport, now: datetime) -> dict[str, object]:
    """The row of one violation."""
    return row_of(
        _KEYS,
        report,
        platform=report.platform or None,
        stream=report.stream or None,
        unit=unit_of(report.limit_key),
        cause=None if report.cause is None else cause_json(report.cause),
        waiver=None if report.waiver is None else waiver_json(report.waiver, now),
    )


def violation_cells(report: ViolationReport, now: datetime) -> Mapping[str, object]:
    """The same as a row of a flat table."""
    row = violation_json(report, now)
    change, waiver = report.heaviest_change, report.waiver
    if report.cause is not None:
        row["cause_of"] = report.cause.of
        row["cause_quantity"] = report.cause.quantity
    if change is not None:
        row |= {
            "cause_instruction": change.instruction,
            "cause_grown_amount": change.grown_amount,
        }
    if waiver is not None:
        expires_at = rfc3339(waiver.expires_at)
        values = (waiver.reason, waiver.author, expires_at)
        row |= dict(zip(_OF_WAIVER, values, strict=True))
    return row


def violation_page_json(
    page: Page[ViolationReport], now: datetime
) -> dict[str, object]:
    """One page of a list."""
    return page_of_rows(page, lambda report: violation_json(report, now))
