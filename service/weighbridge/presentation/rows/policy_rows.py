"""What policies say as JSON objects: violations, waivers, what a limit would flag, and
which limits hold for an image; the keys of the API, of CSV and of lists.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from weighbridge.domain.growth.cause import CauseOf, ChangeKind, cause_json
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.policy.policy import Decided, LimitKey, PolicyKey, Severity
from weighbridge.domain.policy.quantity import Quantity, Unit, unit_of
from weighbridge.domain.policy.simulation import Flagged
from weighbridge.domain.policy.waiver import Waiver, WaiverState
from weighbridge.domain.report.inventory import Page
from weighbridge.domain.report.violation import ViolationReport, ViolationState
from weighbridge.domain.size.confidence import CompressedConfidence
from weighbridge.domain.size.weighing import rfc3339
from weighbridge.presentation.rows.report_rows import keys_of, page_of_rows, row_of


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
    compressed bytes that the image may have, has, and has too many. `base` is what the
    image stands on, where the limit is about that. `within_tag` and
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
    base: str | None
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


@dataclass(frozen=True, slots=True)
class SimulationRow:
    """A limit that a repository would exceed. `limit_amount`, `amount` and `excess` are
    in `unit`; tag and platform are null where the limit is one of a repository."""

    registry: str
    repository: str
    tag: str | None
    platform: str | None
    limit_key: LimitKey
    unit: Unit
    limit_amount: int
    amount: int | None
    excess: int
    baseline_compressed_bytes: int | None


@dataclass(frozen=True, slots=True)
class OneLimitSimulation:
    """One limit held against the newest image of every repository.

    `items` are the worst, `exceeding` counts all of them. Of `unknown` repositories no
    image has a known size: they are in `repositories`, and never in `exceeding`.
    """

    limit_key: LimitKey
    limit_amount: int
    repositories: int
    unknown: int
    exceeding: int
    items: list[SimulationRow]


def simulation_row(flagged: Flagged) -> Mapping[str, object]:
    """The row of one limit of one repository."""
    image, finding = flagged.image, flagged.finding
    is_of_image = finding.key != "max_deduplicated"
    is_growth = finding.key == "max_growth"
    baseline = image.measured.baseline_compressed_bytes
    return row_of(
        keys_of(SimulationRow),
        finding,
        registry=image.registry,
        repository=image.repository,
        tag=image.tag if is_of_image else None,
        platform=image.platform if is_of_image else None,
        limit_key=finding.key,
        unit=unit_of(finding.key),
        baseline_compressed_bytes=baseline if is_growth else None,
    )


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """One key of policies for the newest image. Bytes, seconds and shares are numbers,
    `allowed_bases` is a list of patterns; null is no limit, and `policy` is null where
    no policy sets the key."""

    key: PolicyKey
    value: str | int | float | list[str] | None
    policy: str | None


def policy_rows(decided: Iterable[Decided]) -> list[dict[str, object]]:
    """Every key. Where it is written is told on the command line only: who may read
    what images weigh need not know the files of this machine."""
    return [
        {
            "key": each.key,
            "value": written_value(each),
            "policy": None if each.policy is None else each.policy.name,
        }
        for each in decided
    ]


def written_value(decided: Decided) -> str | int | float | list[str] | None:
    """A value as JSON has it."""
    value = decided.value
    return list(value) if isinstance(value, tuple) else value


def written_at(decided: Decided) -> dict[str, object]:
    """The file and line of a key; null where it is in none."""
    place = decided.place
    if place is None or not place.file:
        return {"file": None, "line": None}
    return {"file": place.file, "line": place.line}


@dataclass(frozen=True, slots=True)
class ImageLimit(PolicyDecision):
    """One key of policies. `waived_until`: until then it is waived; null: it is not."""

    waived_until: str | None


@dataclass(frozen=True, slots=True)
class EarlierImageRow:
    """An image that a tag like this one has pointed to, compressed. Of a tag without
    any platform that is configured it is its reference image."""

    platform: str
    digest: Digest
    compressed_bytes: int


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What holds for an image; `images` are those before it, of each platform that is
    configured (`platforms`) the latest first. Growth is counted from the median of ten.
    `images_known`: whether there are no others, since the repository was crawled to its
    end, or the registry does not have it."""

    registry: str
    repository: str
    tag: str | None
    items: list[ImageLimit]
    images: list[EarlierImageRow]
    images_known: bool
    platforms: list[str]
