"""Violations as a page shows them (who, how much, why, since when); who is near to a
limit; and what one limit for all repositories would flag.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from weighbridge.domain.growth.cause import LineChange
from weighbridge.domain.policy.policy import LimitKey, PolicySet
from weighbridge.domain.policy.quantity import BASE_LIMITS, WORDS, unit_of
from weighbridge.domain.policy.simulation import (
    Flagged,
    Headroom,
    LimitEffect,
    present_limit,
    setters,
    suggestion,
)
from weighbridge.domain.report.violation import ViolationReport
from weighbridge.domain.text.units import written_bytes
from weighbridge.store.reports.inventory import SizeCounts
from weighbridge.web.views.charts import row_share

LIMIT_PERCENT: Final = 66.67
"""Where in a bar its limit is: half as much again still fits."""
_BASE_VERDICTS: Final[Mapping[LimitKey, str]] = {
    "allowed_bases": "not allowed",
    "notify_base_moved": "to be rebuilt",
}
_CLOSED_BY: Final = {
    "pushed": "a later push keeps the limit",
    "deleted": "its tag was deleted",
    "policy": "the limit was changed or is not set any more",
}


class ViolationItem(Struct, frozen=True):
    """One violation.

    verdict: `217 %` of the limit, `+143 %` against the baseline, or `not allowed`
    own, over: the parts of its bar below and above the limit, in percent of the width
    added, word: what the line that did most of it has of what is limited: bytes or
             layers, and what stands behind the number
    cause:   what it did, in words, "" where it is not known
    unknown: lines that are not ranked, as it is not known what they have, in words
    ended:   why it is over, "" while it is not
    """

    report: ViolationReport
    verdict: str
    own: float
    over: float
    added: int
    word: str
    cause: str
    unknown: str
    ended: str

    @property
    def is_of_bytes(self) -> bool:
        """Whether its limit is counted in bytes."""
        return unit_of(self.report.limit_key) == "bytes"

    @property
    def is_of_base(self) -> bool:
        """Whether its limit is about what the image stands on."""
        return self.report.limit_key in BASE_LIMITS

    @property
    def has_share(self) -> bool:
        """Whether it is so much of its limit that a bar can show it."""
        return self.report.limit_key not in _BASE_VERDICTS


def groups(
    reports: Sequence[ViolationReport],
) -> list[tuple[str, Sequence[ViolationItem]]]:
    """By team, those of nobody ("") last; of each the worst first."""
    by_team: dict[str, list[ViolationReport]] = {}
    for report in reports:
        by_team.setdefault(report.team or "", []).append(report)
    teams = sorted(by_team, key=lambda team: (not team, team))
    return [(team, items(by_team[team])) for team in teams]


def items(reports: Sequence[ViolationReport]) -> tuple[ViolationItem, ...]:
    """The worst first, by how much of its limit each is."""
    worst = sorted(reports, key=lambda report: (-_share(report), report.id or 0))
    return tuple(map(_item, worst))


def _item(report: ViolationReport) -> ViolationItem:
    share = _share(report)
    change = report.heaviest_change
    return ViolationItem(
        report=report,
        verdict=_verdict(report),
        own=min(share, 1.0) * LIMIT_PERCENT,
        over=min(max(share - 1, 0.0), 0.5) * LIMIT_PERCENT,
        added=0 if change is None else _added(report, change),
        word="" if report.cause is None else WORDS[report.cause.quantity],
        cause="" if change is None else _cause(report, change),
        unknown=_unknown(report),
        ended=_ended(report),
    )


def _verdict(report: ViolationReport) -> str:
    """How much of its limit it is; of growth how much it grew."""
    baseline = report.baseline_compressed_bytes
    if report.limit_key in _BASE_VERDICTS:
        return _BASE_VERDICTS[report.limit_key]
    if report.limit_key == "max_growth" and baseline:
        return f"+{(report.amount - baseline) / baseline * 100:,.0f} %"
    return f"{_share(report) * 100:,.0f} %"


def _share(report: ViolationReport) -> float:
    if report.limit_key in _BASE_VERDICTS:
        return 1.0  # It is so or it is not.
    return report.amount / max(report.limit_amount, 1)


def _ended(report: ViolationReport) -> str:
    words = _CLOSED_BY.get(report.closed_by or "", "")
    tag = report.within_tag
    return f"{words}: {tag} is within" if tag and words else words


def _added(report: ViolationReport, change: LineChange) -> int:
    """What the line added; where one layer is limited, what it has."""
    if report.limit_key == "max_layer_compressed":
        return change.amount or 0
    return change.grown_amount or 0


def _unknown(report: ViolationReport) -> str:
    count = 0 if report.cause is None else report.cause.unknown_lines
    if not count or report.cause is None:
        return ""
    lines = f"{count:,} changed {'line' if count == 1 else 'lines'}"
    return f"of {lines} it is not known what they added {WORDS[report.cause.quantity]}"


def _cause(report: ViolationReport, change: LineChange) -> str:
    words = {
        "added": "by a line that is new",
        "removed": "by a line that was removed",
        "grown": "by a line that grew",
        "shrunk": "by a line that got lighter",
        "replaced": "by other bytes of the same line",
    }[change.kind]
    is_of_base = report.cause is not None and report.cause.of == "base"
    return "of the base image" if change.of_base or is_of_base else words


AT_LEAST: Final = 3
_SHOWN_FROM: Final = 50
"""Percent: who is further from its limit is shown only where few are nearer."""


class HeadroomItem(Struct, frozen=True):
    """One repository.

    percent: of its limit, in whole numbers
    own:     the length of its bar, in percent of the width
    """

    headroom: Headroom
    percent: int
    own: float


def headroom_items(found: Sequence[Headroom]) -> tuple[HeadroomItem, ...]:
    """In the order in which they were found: three, and those beyond that have used
    half of their limit."""
    return tuple(
        _headroom_item(headroom)
        for rank, headroom in enumerate(found)
        if rank < AT_LEAST or headroom.is_from(_SHOWN_FROM)
    )


def _headroom_item(headroom: Headroom) -> HeadroomItem:
    percent = round(headroom.share * 100)
    if headroom.left_bytes:
        # Whoever is told 100 % looks for what is over.
        percent = min(percent, 99)
    return HeadroomItem(headroom, percent, min(headroom.share, 1.0) * LIMIT_PERCENT)


class Threshold(Struct, frozen=True):
    """A limit that is worth a try.

    share:    the length of its bar, in percent of the width
    in_force: which policies set it, "" where none does
    """

    limit_bytes: int
    share: float
    in_force: str


class SimulatedLimit(Struct, frozen=True):
    """What a limit that was asked for would flag: the worst of those that exceed it.

    compared: with the limits in force; None: it is not
    """

    limit_bytes: int
    flagged: Sequence[Flagged]
    compared: LimitEffect | None


class SimulationPanel(Struct, frozen=True):
    """field: what the field of the form holds; fault: what is wrong with it, or "";
    has_limits: whether any policy sets one"""

    thresholds: Sequence[Threshold]
    counts: SizeCounts
    field: str
    fault: str
    has_limits: bool
    listed: SimulatedLimit | None


def simulation_panel(
    tried: Sequence[int],
    counts: SizeCounts,
    policies: PolicySet,
    field: str | None,
    fault: str,
    listed: SimulatedLimit | None,
) -> SimulationPanel:
    """tried: limits that `counts` are about; field: what was typed, if anything"""
    present = present_limit(policies)
    begin = suggestion(tried, present)
    if field is None:
        field = "" if begin is None else written_bytes(begin)
    most = max((counts.above[limit] for limit in tried), default=0)
    return SimulationPanel(
        thresholds=[
            Threshold(
                limit, row_share(counts.above[limit], most), _setters(policies, limit)
            )
            for limit in tried
        ],
        counts=counts,
        field=field,
        fault=fault,
        has_limits=present is not None,
        listed=listed,
    )


def _setters(policies: PolicySet, limit_bytes: int) -> str:
    names = [policy.name for policy in setters(policies, limit_bytes)]
    if not names:
        return ""
    if len(names) == 1:
        return f"limit of policy {names[0]}"
    others = len(names) - 2
    end = f" and {others:,} more" if others > 0 else ""
    return f"limit of policies {', '.join(names[:2])}{end}"
