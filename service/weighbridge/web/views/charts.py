"""Geometry of the charts: shares of a width, in percent with two decimals.

No `viewBox`: positions are percentages across and pixels down, so that a chart
fills any width without a script and its text is never scaled.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.text.units import format_bytes

MIN_SHARE: Final = 0.45
"""Percent of the width: about 3 px, the least that can be seen and pointed at."""
JOIN_BELOW_BYTES: Final = 1_000_000
MAX_SEGMENTS: Final = 100
LABEL_SHARE: Final = 8.0
ROW_MIN_SHARE: Final = 0.6


class LayerShare(Struct, frozen=True):
    """One layer as the bar sees it.

    key:   what the row of the table is called, `l13`
    text:  what a screen reader says before the bytes
    place: what people call it, `line 13`
    """

    key: str
    text: str
    place: str
    compressed_bytes: int
    is_heaviest: bool = False


class Segment(Struct, frozen=True):
    """A rectangle of the bar: one layer, or several small ones that touch.

    x, width: percent of the bar
    parts:    how many layers it stands for
    """

    key: str
    text: str
    compressed_bytes: int
    is_heaviest: bool
    parts: int
    place: str
    x: float = 0.0
    width: float = 0.0


class Label(Struct, frozen=True):
    """Text above the bar: `mark`, then the bytes.

    css: from which width of the window on it is shown
    """

    mark: str
    x: float
    is_end: bool
    is_heaviest: bool
    compressed_bytes: int
    css: str

    @property
    def text(self) -> str:
        """All of it."""
        return self.mark + format_bytes(self.compressed_bytes)


def layer_bar(parts: Sequence[LayerShare]) -> list[Segment]:
    """The segments from left to right; their widths sum to 100 (none: empty).

    Small layers that touch become one segment; each segment has at least 0.45 %,
    which is taken from the largest.
    """
    total = sum(part.compressed_bytes for part in parts)
    if not total:
        return []
    segments = _joined(parts, min(JOIN_BELOW_BYTES, total * MIN_SHARE / 100))
    below = float(JOIN_BELOW_BYTES)
    while len(segments) > MAX_SEGMENTS:
        segments = _joined(parts, below)
        below *= 2
    return _placed(segments, total)


def _joined(parts: Sequence[LayerShare], below: float) -> list[Segment]:
    segments: list[Segment] = []
    last_is_small = False
    for part in parts:
        is_small = part.compressed_bytes < below and not part.is_heaviest
        if is_small and last_is_small:
            segments[-1] = _with(segments[-1], part)
        else:
            segments.append(_alone(part))
        last_is_small = is_small
    return segments


def _alone(part: LayerShare) -> Segment:
    return Segment(
        key=part.key,
        text=part.text,
        compressed_bytes=part.compressed_bytes,
        is_heaviest=part.is_heaviest,
        parts=1,
        place=part.place,
    )


def _with(segment: Segment, part: LayerShare) -> Segment:
    parts = segment.parts + 1
    return replace(
        segment,
        text=f"{parts} smaller layers",
        compressed_bytes=segment.compressed_bytes + part.compressed_bytes,
        parts=parts,
    )


def _placed(segments: Sequence[Segment], total: int) -> list[Segment]:
    placed: list[Segment] = []
    x = 0
    for segment, width in zip(segments, _widths(segments, total), strict=True):
        placed.append(replace(segment, x=x / 100, width=width / 100))
        x += width
    return placed


def _widths(segments: Sequence[Segment], total: int) -> list[int]:
    """Hundredths of a percent that sum to 10,000."""
    least = round(MIN_SHARE * 100)
    shares = [round(s.compressed_bytes / total * 10_000) for s in segments]
    widths = [max(share, least) for share in shares]
    excess = sum(widths) - 10_000
    while excess > 0:
        # The largest gives until it is like the next one; then they give in turn.
        first, *others = sorted(widths, reverse=True)
        given = min(excess, max(1, first - max(others, default=0)))
        widths[widths.index(first)] -= given
        excess -= given
    widths[widths.index(max(widths))] -= excess
    return widths


# Inner width of the bar in the narrowest window of each kind, and the class that
# hides what does not fit below it (tokens.css, section 9).
_WIDTHS: Final = ((318, ""), (560, "p2"), (880, "p3"))
_CHARACTER_PX: Final = 7.0
_GAP_PX: Final = 8.0


def bar_labels(segments: Sequence[Segment]) -> list[Label]:
    """Labels for segments of at least 8 %, the heaviest first in line; one that
    would run into another is shown in wider windows only, or not at all."""
    labels: list[Label] = []
    taken: list[tuple[float, float, float, int]] = []  # x, pixels to both sides, from
    wanted = [s for s in segments if s.width >= LABEL_SHARE and s.parts == 1]
    for segment in sorted(wanted, key=lambda s: (not s.is_heaviest, -s.width)):
        label = _label(segment)
        pixels = len(label.text) * _CHARACTER_PX
        before, after = (pixels, 0.0) if label.is_end else (0.0, pixels)
        for step, (width, css) in enumerate(_WIDTHS):
            if _fits(label.x, before, after, width, taken, step):
                taken.append((label.x, before, after, step))
                labels.append(replace(label, css=css))
                break
    return sorted(labels, key=lambda label: label.x)


def _label(segment: Segment) -> Label:
    is_end = segment.is_heaviest and segment.x > 55
    return Label(
        f"◆ {segment.place} · " if segment.is_heaviest else "",
        round(segment.x + segment.width, 2) if is_end else segment.x,
        is_end,
        segment.is_heaviest,
        segment.compressed_bytes,
        "",
    )


def _fits(
    x: float,
    before: float,
    after: float,
    width: int,
    taken: Sequence[tuple[float, float, float, int]],
    step: int,
) -> bool:
    """Whether the label collides with none of those shown from `step` on, in the
    narrowest window in which both are shown."""
    for other_x, other_before, other_after, other_step in taken:
        pixels = width if other_step <= step else _WIDTHS[other_step][0]
        left, right = x * pixels / 100, other_x * pixels / 100
        if (
            left - before < right + other_after + _GAP_PX
            and right - other_before < left + after + _GAP_PX
        ):
            return False
    start = width * x / 100
    return start - before >= 0 and start + after <= width


def row_share(number: int, largest: int) -> float:
    """Percent of the column for a bar in a row; something is never nothing."""
    if number <= 0 or largest <= 0:
        return 0.0
    return round(max(ROW_MIN_SHARE, min(100.0, number / largest * 100)), 2)
