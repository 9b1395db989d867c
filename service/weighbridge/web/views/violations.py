"""Violations as a page shows them (who, how much, why, since when); who is near to a
limit; and what one limit for all repositories would flag.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from weighbridge.domain.growth.cause import LineChange
from weighbridge.domain.policy.policy import WORDS, PolicySet
from weighbridge.domain.policy.simulation import (
    Comparison,
    Flagged,
    Headroom,
    NewestSize,
    present_limit,
    setters,
    suggestion,
)
from weighbridge.domain.report.violation import ViolationReport, ViolationState
from weighbridge.domain.text.units import written_bytes
from weighbridge.presentation.rows.policy_rows import unit_of
from weighbridge.store.reports.inventory import SizeCounts
from weighbridge.web.views.charts import row_share
from weighbridge.web.views.words import summary

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


AT_LEAST: Final = 3
_SHOWN_FROM: Final = 50
"""Percent: who is further from its limit is shown only where few are nearer."""


class HeadroomItem(Struct, frozen=True):
    """One repository.

    verdict: `near 98 %`, or `within 62 %`, of its limit
    share:   `98 % of the limit`, for who does not see the bar
    own:     the length of its bar, in percent of the width
    """

    headroom: Headroom
    css: str
    icon: str
    verdict: str
    share: str
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
    css, icon, word = ("v-near", "near", "near")
    if not headroom.is_near:
        css, icon, word = ("v-ok", "ok", "within")
    return HeadroomItem(
        headroom=headroom,
        css=css,
        icon=icon,
        verdict=f"{word} {percent} %",
        share=f"{percent} % of the limit",
        own=min(headroom.share, 1.0) * LIMIT_PERCENT,
    )


NAMED: Final = 3
"""So many repositories are named in a sentence."""


class Threshold(Struct, frozen=True):
    """A limit with how many newest images are above it.

    written:  as the configuration has it, `400MB`
    share:    the length of its bar, in percent of the width
    in_force: which policies set it, "" where none does
    is_asked: whether it is the one that is listed
    """

    limit_bytes: int
    written: str
    exceeding: int
    share: float
    in_force: str
    is_asked: bool


class FirstNames(Struct, frozen=True):
    """The first few of some repositories, and how many are not among them."""

    first: tuple[NewestSize, ...]
    others: int

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.first) + self.others


class SimulatedLimit(Struct, frozen=True):
    """What a limit that was asked for would flag.

    exceeding: how many exceed it, of whom `flagged` are the worst
    more:   who would be flagged and is not over a limit now; None: not compared
    fewer:  who is over a limit now and would not be flagged; None: not compared
    """

    limit_bytes: int
    exceeding: int
    flagged: tuple[Flagged, ...]
    more: FirstNames | None
    fewer: FirstNames | None

    @property
    def written(self) -> str:
        """As the configuration has it."""
        return written_bytes(self.limit_bytes)

    @property
    def others(self) -> int:
        """How many are not listed."""
        return self.exceeding - len(self.flagged)


class SimulationPanel(Struct, frozen=True):
    """field: what the field of the form holds; fault: what is wrong with it, or "";
    has_limits: whether any policy sets one"""

    thresholds: tuple[Threshold, ...]
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
    asked = None if listed is None else listed.limit_bytes
    most = max((counts.above[limit] for limit in tried), default=0)
    return SimulationPanel(
        thresholds=tuple(
            Threshold(
                limit_bytes=limit,
                written=written_bytes(limit),
                exceeding=counts.above[limit],
                share=row_share(counts.above[limit], most),
                in_force=_setters(policies, limit),
                is_asked=limit == asked,
            )
            for limit in tried
        ),
        counts=counts,
        field=field,
        fault=fault,
        has_limits=present is not None,
        listed=listed,
    )


def listed(
    limit_bytes: int,
    exceeding: int,
    flagged: tuple[Flagged, ...],
    comparison: Comparison | None,
) -> SimulatedLimit:
    """What was asked for, ready for the page."""
    return SimulatedLimit(
        limit_bytes=limit_bytes,
        exceeding=exceeding,
        flagged=flagged,
        more=None if comparison is None else _named(comparison.more),
        fewer=None if comparison is None else _named(comparison.fewer),
    )


def _named(sizes: Sequence[NewestSize] | None) -> FirstNames | None:
    if sizes is None:
        return None
    return FirstNames(tuple(sizes[:NAMED]), max(len(sizes) - NAMED, 0))


def _setters(policies: PolicySet, limit_bytes: int) -> str:
    names = [policy.name for policy in setters(policies, limit_bytes)]
    if not names:
        return ""
    if len(names) == 1:
        return f"limit of policy {names[0]}"
    others = len(names) - 2
    end = f" and {others:,} more" if others > 0 else ""
    return f"limit of policies {', '.join(names[:2])}{end}"
