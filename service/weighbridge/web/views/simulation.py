"""One limit for all repositories, as a page shows it: a bar a limit, and a list."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from weighbridge.domain.policy.policy import PolicySet
from weighbridge.domain.policy.simulation import (
    Comparison,
    Flagged,
    NewestSize,
    present_limit,
    setters,
    suggestion,
)
from weighbridge.domain.text.units import written_bytes
from weighbridge.store.reports.inventory import SizeCounts
from weighbridge.web.views.charts import row_share

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
