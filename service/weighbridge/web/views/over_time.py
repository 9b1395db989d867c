"""The size of a repository's newest image over time: a chart from zero, and the same as
rows.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from msgspec import Struct

from weighbridge.domain.policy.policy import Decided
from weighbridge.domain.report.history import HistoryReport, HistoryStep
from weighbridge.domain.report.inventory import RepositoryReport
from weighbridge.domain.text.units import format_bytes, format_percent
from weighbridge.presentation.forms.phrases import plural
from weighbridge.web.views.history_chart import (
    LEFT,
    Area,
    Dot,
    DotLabel,
    HistoryChart,
    Level,
    LimitName,
    SizeLimits,
    Stroke,
    TimeMark,
)
from weighbridge.web.views.words import Amount, marked

STEPS: Final = 100
"""Of a longer history the latest are drawn."""
_DAY: Final = timedelta(days=1)
_PERIODS: Final = {"30d": ("30 d", 30), "90d": ("90 d", 90), "52w": ("1 y", 364)}
_YEAR: Final = "52w"
_COLOURED: Final = (1, 20)


class StepRow(Struct, frozen=True):
    """A row of the table.

    change: with arrow and sign, "" where there is nothing to compare with
    cause:  the line that did most of it, "" where that is not known
    added:  what that line has more or less, None where no line is named
    note:   what else is to be said of the step
    """

    step: HistoryStep
    compressed: Amount
    change: int | None
    change_css: str
    cause: str
    added: int | None
    note: str


class Period(NamedTuple):
    """A switch of the time that is shown."""

    value: str
    text: str
    is_current: bool


class OverTime(Struct, frozen=True):
    """The chart and its table.

    title:    the chart as a sentence
    is_log:   its lowest line is not zero then
    limit:    None where there is none, or where it is far above all images
    growth:   what limits growth, in words; "" for nothing
    base:     the name of the newest image's base, "" where it is not known
    unknown:  stubs of steps whose size is not known
    note:     what is left out, "" for nothing
    """

    title: str
    periods: Sequence[Period]
    is_log: bool
    grid: Sequence[Level]
    ticks: Sequence[TimeMark]
    limit: Level | None
    limit_start: float
    limit_name: LimitName | None
    growth: str
    base: str
    bases: Sequence[Area]
    bands: Sequence[Area]
    baselines: Sequence[Stroke]
    strokes: Sequence[Stroke]
    unknown: Sequence[Area]
    dots: Sequence[Dot]
    labels: Sequence[DotLabel]
    rows: Sequence[StepRow]
    note: str


def over_time(
    report: RepositoryReport,
    history: HistoryReport,
    decided: Sequence[Decided],
    since: str | None,
    now: datetime,
    *,
    is_log: bool = False,
) -> OverTime | None:
    """The steps within a period; None where there is nothing to draw.

    since: the period, `90d`; None: a year
    is_log: each power of ten is as high as the next; else bytes are drawn from zero
    """
    start = now - _PERIODS[since or _YEAR][1] * _DAY
    steps = _within(history.items, start)
    sizes = [step.compressed_bytes for step in steps if step.compressed_bytes]
    if not sizes:
        return None
    limits = _limits(decided)
    drawn = HistoryChart(steps, limits, max(sizes), start, now, is_log=is_log)
    return OverTime(
        title=_title(report, steps, limits),
        periods=[
            Period(value, text, value == (since or _YEAR))
            for value, (text, _) in _PERIODS.items()
        ],
        is_log=is_log,
        grid=drawn.grid(),
        ticks=list(drawn.ticks()),
        limit=drawn.limit(),
        limit_start=LEFT,
        limit_name=drawn.limit_name(),
        growth=_growth(limits),
        base=_base(steps),
        bases=list(drawn.bases()),
        bands=list(drawn.bands()),
        baselines=list(drawn.baselines()),
        strokes=list(drawn.strokes()),
        unknown=list(drawn.unknown()),
        dots=list(drawn.dots()),
        labels=drawn.labels(),
        rows=[_row(step) for step in reversed(steps)],
        note=_note(history, steps, drawn, limits),
    )


def _within(items: Sequence[HistoryStep], start: datetime) -> list[HistoryStep]:
    """Oldest first; the first of them may have begun before."""
    return [s for s in reversed(items) if s.until is None or s.until > start]


def _limits(decided: Sequence[Decided]) -> SizeLimits:
    values = {each.key: each.value for each in decided}
    compressed, growth = values.get("max_compressed"), values.get("max_growth")
    least = values.get("min_growth")
    return SizeLimits(
        compressed if isinstance(compressed, int) else None,
        growth if isinstance(growth, float) else None,
        least if isinstance(least, int) else 0,
    )


def _title(
    report: RepositoryReport, steps: Sequence[HistoryStep], limits: SizeLimits
) -> str:
    sizes = [s.compressed_bytes for s in steps if s.compressed_bytes is not None]
    least, most = format_bytes(min(sizes)), format_bytes(max(sizes))
    span = f"{most}" if least == most else f"{least} to {most}"
    text = (
        f"Compressed bytes of the newest image of {report.repository}, "
        f"{plural(len(steps), 'step')} since {steps[0].at:%Y-%m-%d}, {span}"
    )
    if limits.compressed_bytes is not None:
        text += f", limit {format_bytes(limits.compressed_bytes)}"
    return f"{text}. The table below has the same numbers"


def _growth(limits: SizeLimits) -> str:
    if limits.growth is None:
        return ""
    percent = format_percent(limits.growth, 1).removesuffix(".0")
    words = f"growth allowed, {percent} % over it"
    if limits.least_growth_bytes:
        words += f" and at least {format_bytes(limits.least_growth_bytes)}"
    return words


def _base(steps: Sequence[HistoryStep]) -> str:
    known = [step.base for step in steps if step.base and step.base.compressed_bytes]
    return known[-1].reference if known else ""


_BY: Final = {
    "first_seen": "there at the first crawl",
    "deleted": "newest again, as the tags of what was newer were deleted",
}
_REASONS: Final = {
    "no_image": "no image",
    "no_platform": "no image for this platform",
    "not_read": "its image could not be read",
    "pruned": "its lines are not kept any more",
    "too_large": "it has too many layers to compare",
}


def _row(step: HistoryStep) -> StepRow:
    why = _REASONS.get(step.reason or "", "It is not known")
    size = Amount(step.compressed_bytes, reason=why)
    change = step.leading_change
    notes = [_BY.get(step.by, ""), _REASONS.get(step.reason or "", "")]
    return StepRow(
        step=step,
        compressed=marked(size, step.compressed_confidence, step.claimed_bytes),
        change=step.grown_bytes,
        change_css=_change_css(step),
        cause="" if change is None else change.instruction,
        added=None if change is None else change.grown_amount,
        note=", ".join(filter(None, notes)),
    )


def _change_css(step: HistoryStep) -> str:
    """Coloured from 5 % on."""
    grown = step.grown_bytes or 0
    part, of = _COLOURED
    if abs(grown) * of < ((step.compressed_bytes or 0) - grown) * part:
        return "flat"
    return "up" if grown > 0 else "down" if grown < 0 else "flat"


def _note(
    history: HistoryReport,
    steps: Sequence[HistoryStep],
    drawing: HistoryChart,
    limits: SizeLimits,
) -> str:
    found = []
    if history.reason:
        found.append(f"Steps may be missing: {history.reason}.")
    if history.next_cursor and len(steps) == len(history.items):
        found.append(
            f"The latest {plural(len(steps), 'step')}, there are earlier ones."
        )
    if limits.compressed_bytes is not None and drawing.limit() is None:
        limit = format_bytes(limits.compressed_bytes)
        found.append(f"The limit of {limit} is far above.")
    return " ".join(found)
