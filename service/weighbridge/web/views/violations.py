"""Violations as a page shows them: who, how much, why, since when."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from weighbridge.domain.growth.cause import LineChange
from weighbridge.domain.growth.quantity import WORDS
from weighbridge.domain.policy.waiver import Waiver
from weighbridge.domain.report.violation import ViolationReport, ViolationState
from weighbridge.presentation.rows.policy_rows import unit_of
from weighbridge.web.views.summaries import summary

LIMIT_PERCENT: Final = 66.67
"""Where in a bar its limit is: half as much again still fits."""
_OF_STATE: Final[dict[ViolationState, tuple[str, str]]] = {
    "open": ("v-over", "over"),
    "waived": ("v-waived", "waived"),
    "over": ("v-over", "over"),
    "closed": ("v-done", "ok"),
}
_CLOSED_BY: Final = {
    "pushed": "a later push keeps the limit",
    "deleted": "its tag was deleted",
    "policy": "the limit was changed or is not set any more",
}

_WHOSE: Final = {
    "claimed": "claimed by its manifest, not confirmed by the registry",
    "disputed": "the registry's figure; its manifest says otherwise",
}


class ViolationItem(Struct, frozen=True):
    """One violation.

    link:    the page of its image, or of its repository
    verdict: `217 %` of the limit, or `+143 %` against the baseline
    own, over: the parts of its bar below and above the limit, in percent of the width
    against: what a growth is compared with; None for other limits
    line:    the line that did most of it, "" where it is not known
    is_line_bytes, added, word: what it has of what is limited: bytes or layers, and
             what stands behind the number
    cause:   what it did, in words
    whose: said where the image's size is not what registry and manifest both say
    unknown: lines that are not ranked, as it is not known what they have, in words
    ended:   why it is over, "" while it is not
    """

    report: ViolationReport
    ref: str
    link: str
    css: str
    icon: str
    verdict: str
    is_bytes: bool
    own: float
    over: float
    against: int | None
    line: str
    is_line_bytes: bool
    added: int
    word: str
    cause: str
    unknown: str
    whose: str
    ended: str
    waiver: Waiver | None


class TeamGroup(Struct, frozen=True):
    """The violations of a team, the worst first; team: "" for nobody's."""

    team: str
    items: tuple[ViolationItem, ...]


def groups(reports: Sequence[ViolationReport]) -> tuple[TeamGroup, ...]:
    """By team, those of nobody last."""
    by_team: dict[str, list[ViolationReport]] = {}
    for report in reports:
        by_team.setdefault(report.team or "", []).append(report)
    teams = sorted(by_team, key=lambda team: (not team, team))
    return tuple(TeamGroup(team, items(by_team[team])) for team in teams)


def items(reports: Sequence[ViolationReport]) -> tuple[ViolationItem, ...]:
    """The worst first, by how much of its limit each is."""
    worst = sorted(reports, key=lambda report: (-_share(report), report.id or 0))
    return tuple(map(_item, worst))


def _item(report: ViolationReport) -> ViolationItem:
    css, icon = _OF_STATE[report.state]
    share = _share(report)
    repository = f"{report.registry}/{report.repository}"
    ref = repository if report.tag is None else f"{repository}:{report.tag}"
    change = report.heaviest_change
    return ViolationItem(
        report=report,
        ref=ref,
        link="/repository" if report.tag is None else "/image",
        css=css,
        icon=icon,
        verdict=verdict(report),
        is_bytes=unit_of(report.limit_key) == "bytes",
        own=min(share, 1.0) * LIMIT_PERCENT,
        over=min(max(share - 1, 0.0), 0.5) * LIMIT_PERCENT,
        against=report.baseline_compressed_bytes
        if report.limit_key == "max_growth"
        else None,
        line="" if change is None else summary(change.instruction, 90),
        is_line_bytes=report.cause is None or report.cause.quantity != "layers",
        added=0 if change is None else _added(report, change),
        word="" if report.cause is None else WORDS[report.cause.quantity],
        cause="" if change is None else _cause(report, change),
        unknown=_unknown(report),
        whose=_WHOSE.get(report.compressed_confidence or "", ""),
        ended=_ended(report),
        waiver=report.waiver,
    )


def verdict(report: ViolationReport) -> str:
    """How much of its limit it is; of growth how much it grew."""
    baseline = report.baseline_compressed_bytes
    if report.limit_key == "max_growth" and baseline:
        return f"+{(report.amount - baseline) / baseline * 100:,.0f} %"
    return f"{_share(report) * 100:,.0f} %"


def since(report: ViolationReport) -> datetime | None:
    """When it was pushed, as far as that is known."""
    return report.pushed_at or report.opened_at


def _share(report: ViolationReport) -> float:
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
