"""Charts: geometry as shares of a width, in percent with two decimals; and storage as a
bar: what is shared, what is not, and what sharing saves.

No `viewBox`: positions are percentages across and pixels down, so that a chart fills
any width without a script and its text is never scaled.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.report.inventory import (
    RegistryReport,
    RepositoryReport,
    ScopeKind,
)
from weighbridge.domain.text.units import format_bytes

_INSET: Final = 0.35


class Storage(Struct, frozen=True):
    """Bytes, and the widths of their parts in percent of the bar.

    never_bytes: what a naive sum counts more than once; 0 where that is left out
    title:       the bar as a sentence
    """

    deduplicated_bytes: int
    shared_bytes: int
    exclusive_bytes: int
    referenced_bytes: int
    never_bytes: int
    shared: float
    exclusive: float
    never: float
    title: str

    @property
    def inset(self) -> tuple[float, float]:
        """Start and width of the second border of what is shared, 0 for no room."""
        room = self.shared - 2 * _INSET
        return (_INSET, room) if room > _INSET else (0.0, 0.0)

    @property
    def factor(self) -> str:
        """How many times as much the naive sum says: `2.77`."""
        if not self.deduplicated_bytes:
            return ""
        factor = self.referenced_bytes / self.deduplicated_bytes
        return f"{factor:.2f}" if factor < 9.995 else f"{factor:,.0f}"


def registry_storage(registries: Sequence[RegistryReport]) -> Storage | None:
    """Of registries together; None where none of them was read yet."""
    known = [r for r in registries if r.deduplicated_bytes is not None]
    if not known:
        return None
    # One by one each entry says all that it holds; together, each blob counts once.
    repeated = sum(r.repeated_bytes or 0 for r in known) if len(known) > 1 else 0
    deduplicated = sum(r.deduplicated_bytes or 0 for r in known) - repeated
    shared = sum(r.shared_bytes or 0 for r in known) - repeated
    referenced = sum(r.referenced_bytes or 0 for r in known)
    return _storage(deduplicated, shared, referenced, with_never=True)


def repository_storage(report: RepositoryReport) -> Storage | None:
    """Of one repository; None where it was not read yet."""
    if report.deduplicated_bytes is None or report.shared_bytes is None:
        return None
    referenced = report.referenced_bytes or 0
    return _storage(
        report.deduplicated_bytes, report.shared_bytes, referenced, with_never=False
    )


def what_exclusive_frees(
    report: RepositoryReport, kind: ScopeKind | None, unknown: str | None = None
) -> str:
    """A sentence that names the set; "" where nothing is known yet.

    unknown: why it is not known what deletion frees; None: it is
    """
    storage = repository_storage(report)
    if storage is None:
        return ""
    if unknown is not None:
        return f"What deleting it or its tags frees is not known: {unknown}."
    freed = format_bytes(storage.exclusive_bytes)
    if kind == "repository":
        return (
            f"This registry keeps the blobs of each repository apart: deleting it "
            f"frees {freed}, all of it, after garbage collection."
        )
    place = "the project" if kind == "project" else "the registry"
    words = (
        f"Deleting the repository frees {freed} after garbage collection: nothing else "
        f"in {place} {report.storage_scope} refers to that."
    )
    if storage.shared_bytes:
        stays = format_bytes(storage.shared_bytes)
        words += f" The other {stays} stay, because other repositories use them too."
    return words


def _storage(
    deduplicated: int, shared: int, referenced: int, *, with_never: bool
) -> Storage:
    # A settler may be a second behind: no part is drawn below nothing.
    shared = min(shared, deduplicated)
    exclusive = deduplicated - shared
    never = max(0, referenced - deduplicated) if with_never else 0
    widths = _shares((shared, exclusive, never))
    return Storage(
        deduplicated_bytes=deduplicated,
        shared_bytes=shared,
        exclusive_bytes=exclusive,
        referenced_bytes=referenced,
        never_bytes=never,
        shared=widths[0],
        exclusive=widths[1],
        never=widths[2],
        title=_title(deduplicated, shared, exclusive, never),
    )


def _shares(parts: Sequence[int]) -> list[float]:
    """Percent with two decimals; something is never too narrow to be seen."""
    total = sum(parts)
    if not total:
        return [0.0 for _ in parts]
    shares = [max(MIN_SHARE, n / total * 100) if n else 0.0 for n in parts]
    largest = shares.index(max(shares))
    shares[largest] -= sum(shares) - 100
    return [round(share, 2) for share in shares]


def _title(deduplicated: int, shared: int, exclusive: int, never: int) -> str:
    words = (
        f"Of {format_bytes(deduplicated)} stored, {format_bytes(shared)} are shared by "
        f"several repositories and {format_bytes(exclusive)} are in one only"
    )
    if never:
        words += f"; {format_bytes(never)} more were never stored thanks to sharing"
    return words


MIN_SHARE: Final = 0.45
"""Percent of the width: about 3 px, the least that can be seen and pointed at."""
JOIN_BELOW_BYTES: Final = 1_000_000
MAX_SEGMENTS: Final = 100
LABEL_SHARE: Final = 8.0
ROW_MIN_SHARE: Final = 0.6


class Segment(Struct, frozen=True):
    """A rectangle of the bar: one layer, or several small ones that touch.

    key:   what the row of the table is called, `l13`
    text:  what a screen reader says before the bytes
    place: what people call it, `line 13`
    parts: how many layers it stands for
    is_base: whether it is below the image's own layers
    x, width: percent of the bar, once it has its place
    """

    key: str
    text: str
    place: str
    compressed_bytes: int
    is_heaviest: bool = False
    parts: int = 1
    is_base: bool = False
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


def layer_bar(parts: Sequence[Segment]) -> list[Segment]:
    """The segments of layers from left to right; their widths sum to 100 (none: empty).

    Small layers that touch become one segment, and so do those of a base, but for the
    heaviest of all; each segment has at least 0.45 %, which is taken from the largest.
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


def _joined(parts: Sequence[Segment], below: float) -> list[Segment]:
    segments: list[Segment] = []
    last_joins = False
    for part in parts:
        is_small = part.compressed_bytes < below or part.is_base
        joins = is_small and not part.is_heaviest
        if joins and last_joins and segments[-1].is_base == part.is_base:
            segments[-1] = _with(segments[-1], part)
        else:
            segments.append(part)
        last_joins = joins
    return segments


def _with(segment: Segment, part: Segment) -> Segment:
    parts = segment.parts + part.parts
    words = "layers of the base" if segment.is_base else "smaller layers"
    return replace(
        segment,
        text=f"{parts} {words}",
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


class StackedBar(Struct, frozen=True):
    """A bar in a row, in percent of the column: what is the base's, then the rest.

    limit: where a limit stands, None: nowhere in the column
    """

    base: float
    own: float
    limit: float | None = None


def row_share(number: int, largest: int) -> float:
    """Percent of the column for a bar in a row; something is never nothing."""
    if number <= 0 or largest <= 0:
        return 0.0
    return round(max(ROW_MIN_SHARE, min(100.0, number / largest * 100)), 2)
