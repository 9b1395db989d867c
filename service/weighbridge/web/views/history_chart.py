"""Places on the chart of a repository's size over time.

Positions are percent across and pixels down, as in every chart (`charts`). Time goes
from `LEFT` to `_RIGHT`, bytes from `_BOTTOM` up to `_TOP`.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from math import log
from typing import Final, NamedTuple

from weighbridge.domain.report.history import HistoryStep
from weighbridge.domain.text.units import format_bytes
from weighbridge.presentation.forms.phrases import signed
from weighbridge.web.views.words import shortened, summary

LEFT, _RIGHT = 5.0, 99.0
_TOP, _BOTTOM = 14.0, 304.0
_DAY: Final = timedelta(days=1)
_SHORTEST: Final = timedelta(hours=1)
_FURTHEST: Final = 4
"""A limit of more than so many times the largest image would leave no room for it."""
_NAME_CHARACTERS: Final = 20
_LINE_HEIGHT: Final = 18
"""Pixels down, below which two lines of text may touch."""
_LABEL_GAP: Final = 12.0
"""Percent across, below which two labels may touch."""


class Area(NamedTuple):
    """A rectangle: percent across, pixels down."""

    x: float
    width: float
    y: float
    height: float


class Stroke(NamedTuple):
    """A straight line."""

    x1: float
    x2: float
    y1: float
    y2: float


class Level(NamedTuple):
    """A horizontal line with its bytes."""

    y: float
    compressed_bytes: int


class LimitName(NamedTuple):
    """Where the limit's bytes stand: at the left or right end, so many pixels down."""

    is_left: bool
    y: float


class TimeMark(NamedTuple):
    """A time below the chart; `css` hides every other one on small screens."""

    x: float
    text: str
    css: str


class Dot(NamedTuple):
    """A step; `title` says all of it, `is_over`: over the limit that holds now.

    digest: what its tags led to, "" where that has no page any more
    """

    x: float
    y: float
    digest: str
    title: str
    is_over: bool


class DotLabel(NamedTuple):
    """Names and bytes beside a dot."""

    x: float
    y: float
    text: str
    compressed_bytes: int
    is_over: bool
    is_end: bool
    css: str


class SizeLimits(NamedTuple):
    """What policies allow the newest image: bytes, and growth over a baseline."""

    compressed_bytes: int | None
    growth: float | None
    least_growth_bytes: int

    def allowed(self, baseline: int) -> int | None:
        """How large an image may be by its growth."""
        if self.growth is None:
            return None
        return baseline + max(round(baseline * self.growth), self.least_growth_bytes)


class HistoryChart:
    """Places on the chart."""

    def __init__(
        self,
        steps: Sequence[HistoryStep],
        limits: SizeLimits,
        largest: int,
        start: datetime,
        now: datetime,
        *,
        is_log: bool = False,
    ) -> None:
        """start: the beginning of the period; a history that is shorter fills all
        is_log: each power of ten is as high as the next; else bytes are drawn from zero
        """
        self._steps = steps
        self._limits = limits
        limit = limits.compressed_bytes
        self._limit = limit if limit and limit <= _FURTHEST * largest else None
        highest = max(largest, self._limit or 0)
        self._is_log = is_log
        self._levels = (
            _powers(self._least(), highest) if is_log else _levels_from_zero(highest)
        )
        self._floor, self._top = self._levels[0], self._levels[-1]
        self._end = max(now, steps[-1].at)
        self._start = min(max(steps[0].at, start), self._end - _SHORTEST)

    def _least(self) -> int:
        """The fewest bytes of all that is drawn, but for 0."""
        drawn = [self._limit or 0]
        for step in self._steps:
            drawn.append(step.compressed_bytes or 0)
            drawn.append(step.baseline_compressed_bytes or 0)
            drawn.append((step.base and step.base.compressed_bytes) or 0)
        return min(filter(None, drawn))

    def _x(self, moment: datetime | None) -> float:
        if moment is None:
            return _RIGHT
        share = (moment - self._start) / (self._end - self._start)
        return round(LEFT + min(max(share, 0.0), 1.0) * (_RIGHT - LEFT), 2)

    def _y(self, compressed_bytes: float) -> float:
        within = min(max(compressed_bytes, self._floor), self._top)
        if self._is_log:
            share = log(within / self._floor) / log(self._top / self._floor)
        else:
            share = within / self._top
        return round(_BOTTOM - share * (_BOTTOM - _TOP), 1)

    def grid(self) -> list[Level]:
        return [Level(self._y(level), level) for level in self._levels]

    def ticks(self) -> Iterator[TimeMark]:
        for number, (moment, text) in enumerate(_times(self._start, self._end)):
            yield TimeMark(self._x(moment), text, "hide-s" if number % 2 else "")

    def limit(self) -> Level | None:
        return None if self._limit is None else Level(self._y(self._limit), self._limit)

    def limit_name(self) -> LimitName | None:
        """At the right end of its line and above it, unless the name of an image is
        there."""
        if self._limit is None:
            return None
        y = self._y(self._limit)
        near = [each for each in self.labels() if abs(each.y - y) < _LINE_HEIGHT]
        is_below = any(each.y <= y for each in near)
        return LimitName(
            any(each.is_end for each in near), y + 13 if is_below else y - 4
        )

    def _area(self, step: HistoryStep, low: int, high: int) -> Area:
        left, right = self._x(step.at), self._x(step.until)
        top = self._y(high)
        return Area(left, round(right - left, 2), top, round(self._y(low) - top, 1))

    def bases(self) -> Iterator[Area]:
        for step in self._steps:
            if step.base is not None and step.base.compressed_bytes:
                yield self._area(step, 0, step.base.compressed_bytes)

    def bands(self) -> Iterator[Area]:
        for step in self._steps:
            baseline = step.baseline_compressed_bytes
            allowed = None if baseline is None else self._limits.allowed(baseline)
            if baseline is not None and allowed is not None:
                yield self._area(step, baseline, min(allowed, self._top))

    def baselines(self) -> Iterator[Stroke]:
        for step in self._steps:
            if (baseline := step.baseline_compressed_bytes) is not None:
                y = self._y(baseline)
                yield Stroke(self._x(step.at), self._x(step.until), y, y)

    def strokes(self) -> Iterator[Stroke]:
        """Steps, never slopes: an image changes at a push."""
        last: tuple[datetime | None, float] | None = None
        for step in self._steps:
            if step.compressed_bytes is None:
                last = None
                continue
            x, y = self._x(step.at), self._y(step.compressed_bytes)
            if last is not None and last[0] == step.at:
                yield Stroke(x, x, last[1], y)
            yield Stroke(x, self._x(step.until), y, y)
            last = step.until, y

    def unknown(self) -> Iterator[Area]:
        for step in self._steps:
            if step.compressed_bytes is None:
                yield Area(self._x(step.at), 1.0, _BOTTOM - 60, 60.0)

    def dots(self) -> Iterator[Dot]:
        for step in self._steps:
            if step.compressed_bytes is not None:
                yield Dot(
                    self._x(step.at),
                    self._y(step.compressed_bytes),
                    "" if step.reason == "pruned" else step.digest,
                    _dot_title(step),
                    self._is_over(step),
                )

    def _is_over(self, step: HistoryStep) -> bool:
        limit = self._limits.compressed_bytes
        return limit is not None and (step.compressed_bytes or 0) > limit

    def labels(self) -> list[DotLabel]:
        """Of the newest image, and of the heaviest where there is room for it."""
        known = [step for step in self._steps if step.compressed_bytes is not None]
        newest = self._label(known[-1], "")
        heaviest = max(known, key=lambda step: step.compressed_bytes or 0)
        other = self._label(heaviest, "p2")
        is_apart = abs(other.x - newest.x) > _LABEL_GAP or (
            abs(other.y - newest.y) > 2 * _LABEL_GAP
        )
        return [newest, other] if heaviest is not known[-1] and is_apart else [newest]

    def _label(self, step: HistoryStep, css: str) -> DotLabel:
        size = step.compressed_bytes or 0
        x = self._x(step.at)
        return DotLabel(
            x,
            max(self._y(size) - 8, _TOP - 2),
            _names(step, 2, _NAME_CHARACTERS),
            size,
            self._is_over(step),
            x > (LEFT + _RIGHT) / 2,
            css,
        )


_NICE: Final = (1, 2, 2.5, 5)
_MOST_LINES: Final = 5


def _powers(least: int, most: int) -> list[int]:
    """Powers of ten, and where these are few twos and fives between them, from below
    the least to the most or above: two or more."""
    levels: list[int] = []
    for between in ((1, 2, 5), (1,)):
        levels = [
            nice * 10**power for power in range(len(str(most)) + 1) for nice in between
        ]
        first = max(n for n, level in enumerate(levels) if level <= max(least - 1, 1))
        last = min(n for n, level in enumerate(levels) if level >= most and n > first)
        levels = levels[first : last + 1]
        if len(levels) <= _MOST_LINES + 1:
            break
    return levels


def _levels_from_zero(largest: int) -> list[int]:
    step, lines = _scale(largest)
    return [n * step for n in range(lines + 1)]


def _scale(largest: int) -> tuple[int, int]:
    """Bytes from one line of the grid to the next, and how many lines above zero."""
    power = 1
    while True:
        for nice in _NICE:
            step = int(nice * power)
            lines = -(-largest // step) if step else _MOST_LINES + 1
            if lines <= _MOST_LINES:
                return step, max(lines, 1)
        power *= 10


_MOST_TICKS: Final = 7
_HOURS: Final = (1, 2, 6, 12)
_DAYS: Final = (1, 2, 7, 14)
_MONTHS: Final = (1, 2, 3, 6, 12, 24, 60, 120)


def _times(start: datetime, end: datetime) -> list[tuple[datetime, str]]:
    """Times at which hours, days or months begin, as few as can be read."""
    for hours in _HOURS:
        found = list(_every(start, end, timedelta(hours=hours)))
        if len(found) <= _MOST_TICKS:
            return [(moment, f"{moment:%H:%M}") for moment in found]
    for days in _DAYS:
        found = list(_every(start, end, days * _DAY))
        if len(found) <= _MOST_TICKS:
            return [(moment, f"{moment:%m-%d}") for moment in found]
    for months in _MONTHS:
        found = list(_months(start, end, months))
        if len(found) <= _MOST_TICKS:
            break
    return [(moment, f"{moment:%Y-%m}") for moment in found]


def _every(start: datetime, end: datetime, length: timedelta) -> Iterator[datetime]:
    """At most one more than are shown."""
    first = datetime(start.year, start.month, start.day, tzinfo=UTC)
    moment = first + -(-(start - first) // length) * length
    for _ in range(_MOST_TICKS + 1):
        if moment > end:
            return
        yield moment
        moment += length


def _months(start: datetime, end: datetime, months: int) -> Iterator[datetime]:
    number = start.year * 12 + start.month  # the month after that of the start
    number = -(-number // months) * months
    for _ in range(_MOST_TICKS + 1):
        moment = datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)
        if moment > end:
            return
        yield moment
        number += months


def _names(step: HistoryStep, most: int, characters: int = 128) -> str:
    """So many names of so many characters each, and how many more there are."""
    names = ", ".join(shortened(tag, characters) for tag in step.tags[:most])
    more = step.tag_count - most
    return f"{names} and {more:,} more" if more > 0 else names


def _dot_title(step: HistoryStep) -> str:
    """`1.5.0 · 2026-09-22 · 1.08 GB compressed (+612 MB by RUN pip install ...)`."""
    text = f"{_names(step, 3)} · {step.at:%Y-%m-%d %H:%M} UTC"
    text += f" · {format_bytes(step.compressed_bytes or 0)} compressed"
    if step.grown_bytes is None:
        return text
    change = step.leading_change
    by = "" if change is None else f" by {summary(change.instruction, 80)}"
    return f"{text} ({signed(step.grown_bytes)}{by})"
