"""The page of two images side by side: the answer in figures, both on one scale, and
their lines with what each adds.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.comparison.comparison import (
    Change,
    ComparedLine,
    Comparison,
    ImageComparison,
    LayersPart,
)
from weighbridge.domain.size.weighing import WeighedImage, WeighedLine
from weighbridge.presentation.forms.phrases import UNCHANGED
from weighbridge.presentation.forms.screen import Screen
from weighbridge.presentation.image.comparison_table import (
    SIGNS,
    base_words,
    comparison_markdown,
    names_of,
)
from weighbridge.presentation.rows.comparison_rows import comparison_warnings
from weighbridge.presentation.rows.report_rows import line_number
from weighbridge.web.views.charts import MIN_SHARE, Segment, layer_bar
from weighbridge.web.views.frame import Banner
from weighbridge.web.views.image import SUMMARY_CHARACTERS
from weighbridge.web.views.words import Amount, compressed, summary

COLOURED_PERCENT: Final = 5
_CSS: Final[dict[Change, str]] = {
    "same": "same",
    "added": "add",
    "removed": "gone",
    "rebuilt": "re",
    "changed": "re",
}
_NONE: Final = Amount(None, word="none", reason="This image has no such line")
_LABEL_SHARE: Final = 12.0


class SignedChange(Struct, frozen=True):
    """A change of a number. number: None where it is not known; css: coloured from 5 %
    of what it is compared with on."""

    number: int | None
    css: str

    @property
    def sign(self) -> str:
        """What stands before the bytes: an arrow and a sign; `±0` in their place."""
        if self.number is None:
            return ""
        if not self.number:
            return UNCHANGED
        return "▲ +" if self.number > 0 else "▼ \N{MINUS SIGN}"

    @property
    def amount(self) -> int:
        """Without its sign."""
        return abs(self.number or 0)


class Floating(Struct, frozen=True):
    """A bar between the sum before a line and the sum after it, in percent."""

    x: float
    width: float
    is_more: bool
    is_small: bool


class ComparedRow(Struct, frozen=True):
    """One line. key: its anchor; number: of the line in the second image, else in the
    first."""

    key: str
    number: int | None
    css: str
    sign: str
    title: str
    instruction: str
    note: str
    before: Amount
    after: Amount
    grown: SignedChange
    bar: Floating | None


class ScaledBar(Struct, frozen=True):
    """Both images on one scale: what both have first, then what each alone has."""

    shared: float
    base: float
    before: Sequence[Segment]
    after: Sequence[Segment]
    labels: tuple[float, float]


class SideFact(Struct, frozen=True):
    """A row of what else both have, in words. is_name: of a thing, which may be long"""

    name: str
    before: str
    after: str
    grown: str = ""
    is_name: bool = False


class ComparisonPage(Struct, frozen=True):
    """names: what the images are called beside each other
    rows:   lines with a layer; `metadata`: those without one, with their sign
    base_rows: those of the base that both stand on, which is called `base_name`
    top:    the end of the scale of the floating bars"""

    comparison: Comparison
    images: ImageComparison
    names: tuple[str, str]
    platforms: Sequence[str]
    banners: Sequence[Banner]
    grown: SignedChange
    on_disk: SignedChange
    times: str
    bar: ScaledBar
    heaviest: ComparedRow | None
    rows: Sequence[ComparedRow]
    base_rows: Sequence[ComparedRow]
    base_name: str
    metadata: Sequence[tuple[str, str, str]]
    top: int
    totals: tuple[float, float]
    facts: Sequence[SideFact]
    markdown: str


def comparison_page(
    comparison: Comparison,
    limits: tuple[int | None, int | None] = (None, None),
    *,
    only_changed: bool = False,
) -> ComparisonPage:
    """Of the first platform that was compared; the others are links.

    limits: of compressed bytes, of either
    """
    images = comparison.images[0]
    rows, top = _rows(images)
    heaviest = _heaviest(rows)
    total = images.before.compressed_bytes, images.after.compressed_bytes
    is_of_base = [images.is_of_base(line) for line in images.lines if line.has_layer]
    base_rows = [row for row, is_it in zip(rows, is_of_base, strict=True) if is_it]
    shown = [row for row, is_it in zip(rows, is_of_base, strict=True) if not is_it]
    if only_changed:
        shown = [row for row in shown if row.css != "same"]
    return ComparisonPage(
        comparison=comparison,
        images=images,
        names=names_of(comparison),
        platforms=_platforms(comparison),
        banners=[Banner("", text, False) for text in comparison_warnings(comparison)],
        grown=_growth(images.grown_bytes, total[0]),
        on_disk=_growth(
            images.grown_uncompressed_bytes,
            images.before.uncompressed.uncompressed_bytes or 0,
        ),
        times=_times(*total),
        bar=_bar(images, heaviest),
        heaviest=heaviest,
        rows=shown,
        base_rows=base_rows,
        base_name=base_words(images.after),
        metadata=[
            (SIGNS[line.change][0], SIGNS[line.change][2], line.instruction)
            for line in images.lines
            if not line.has_layer
        ],
        top=top,
        totals=(_percent(total[0], top), _percent(total[1], top)),
        facts=list(_facts(images, limits)),
        markdown=comparison_markdown(replace(comparison, images=(images,)), Screen()),
    )


def _platforms(comparison: Comparison) -> list[str]:
    """Those that both have, the one that speaks for all first."""
    if not comparison.has_common_platform:
        return []
    there = set(comparison.after.platforms)
    common = [str(p) for p in comparison.before.platforms if p in there]
    return list(dict.fromkeys([str(comparison.images[0].platform), *common]))


def _growth(grown: int | None, of: int) -> SignedChange:
    if grown is None or abs(grown) * 100 < of * COLOURED_PERCENT or not grown:
        return SignedChange(grown, "flat")
    return SignedChange(grown, "up" if grown > 0 else "down")


def _times(before: int, after: int) -> str:
    """`2.30 times`; "" where there is nothing to divide by."""
    return f"{after / before:.2f} times" if before else ""


def _percent(part: int, whole: int) -> float:
    return round(part / whole * 100, 2) if whole else 0.0


def _rows(images: ImageComparison) -> tuple[list[ComparedRow], int]:
    """The rows, and the largest of the sums that they run through."""
    lines = [line for line in images.lines if line.has_layer]
    sums = [images.before.compressed_bytes]
    for line in lines:
        sums.append(sums[-1] + (line.grown_bytes or 0))
    top = max(*sums, images.after.compressed_bytes)
    small = images.before.compressed_bytes * COLOURED_PERCENT
    return [
        _row(
            number, images, line, _floating(sums[number - 1], sums[number], top, small)
        )
        for number, line in enumerate(lines, start=1)
    ], top


def _floating(was: int, now: int, top: int, small: int) -> Floating | None:
    if was == now:
        return None
    width = max(_percent(abs(now - was), top), 0.6)
    return Floating(
        x=min(_percent(min(was, now), top), 100 - width),
        width=width,
        is_more=now > was,
        is_small=abs(now - was) * 100 < small,
    )


def _row(
    number: int, images: ImageComparison, line: ComparedLine, bar: Floating | None
) -> ComparedRow:
    sign, _, words, _ = SIGNS[line.change]
    shown = line.after or line.before
    return ComparedRow(
        key=f"d{number}",
        number=None if shown is None else line_number(shown),
        css=_CSS[line.change],
        sign=sign,
        title=words,
        instruction=line.instruction,
        note=_note(line),
        before=_amount(images.before, line.before),
        after=_amount(images.after, line.after),
        grown=_growth(line.grown_bytes, images.before.compressed_bytes),
        bar=bar,
    )


def _note(line: ComparedLine) -> str:
    if line.change == "rebuilt":
        return "same text, new layer"
    if line.change == "changed" and line.before is not None:
        return f"before: {summary(line.before.instruction, 2 * SUMMARY_CHARACTERS)}"
    return ""


def _amount(image: WeighedImage, line: WeighedLine | None) -> Amount:
    if line is None:
        return _NONE
    if line.compressed_bytes is None:
        return Amount(None, reason="It is not known how much this line added")
    if line.layer is None or line.compressed_bytes == 0:
        return Amount(line.compressed_bytes)
    return compressed(image.layers[line.layer])


def _heaviest(rows: Sequence[ComparedRow]) -> ComparedRow | None:
    """What added most; None where nothing was added."""
    most = max(rows, key=lambda row: row.grown.number or 0, default=None)
    return most if most is not None and (most.grown.number or 0) > 0 else None


def _bar(images: ImageComparison, heaviest: ComparedRow | None) -> ScaledBar:
    scale = max(images.before.compressed_bytes, images.after.compressed_bytes)
    alone = [
        _share(part.compressed_bytes, scale)
        for part in (images.only_before, images.only_after)
    ]
    shared = min(_share(images.shared.compressed_bytes, scale), 100 - max(alone))
    keys = _keys(images)
    return ScaledBar(
        shared=round(shared, 2),
        base=round(min(_share(images.base_bytes, scale), shared), 2),
        before=_segments(images.only_before, keys, shared, alone[0]),
        after=_segments(images.only_after, keys, shared, alone[1], heaviest),
        labels=(round(shared + alone[0], 2), round(shared + alone[1], 2)),
    )


def _share(part: int, scale: int) -> float:
    """Percent; something is never too narrow to be seen."""
    return max(part / scale * 100, MIN_SHARE) if part and scale else 0.0


def _keys(images: ImageComparison) -> Mapping[str, tuple[str, str]]:
    """By a layer's digest the anchor of its row, and its line in short."""
    found: dict[str, tuple[str, str]] = {}
    lines = (line for line in images.lines if line.has_layer)
    for number, line in enumerate(lines, start=1):
        for image, one in ((images.before, line.before), (images.after, line.after)):
            if one is not None and one.layer is not None:
                digest = image.layers[one.layer].digest
                text = summary(one.instruction, SUMMARY_CHARACTERS)
                found.setdefault(digest, (f"d{number}", text))
    return found


def _segments(
    part: LayersPart,
    keys: Mapping[str, tuple[str, str]],
    start: float,
    share: float,
    heaviest: ComparedRow | None = None,
) -> list[Segment]:
    parts = [
        Segment(
            *keys[layer.digest],
            "line",
            layer.compressed_bytes,
            is_heaviest=heaviest is not None and keys[layer.digest][0] == heaviest.key,
        )
        for layer in part.layers
    ]
    return [
        replace(
            segment,
            x=round(start + segment.x * share / 100, 2),
            width=round(segment.width * share / 100, 2),
        )
        for segment in layer_bar(parts)
    ]


def _facts(
    images: ImageComparison, limits: tuple[int | None, int | None]
) -> Iterator[SideFact]:
    before, after = images.before, images.after
    layers = len(after.layers) - len(before.layers)
    yield SideFact(
        "Layers",
        str(len(before.layers)),
        str(len(after.layers)),
        f"{layers:+d}".replace("-", "\N{MINUS SIGN}") if layers else UNCHANGED,
    )
    bases = [base_words(image) or "unknown" for image in (before, after)]
    same = "same" if bases[0] == bases[1] != "unknown" else ""
    yield SideFact("Base", bases[0], bases[1], same, is_name=True)
    shares = [
        f"{pulled * 100 // limit} %" if limit else ""
        for pulled, limit in zip(
            (before.compressed_bytes, after.compressed_bytes), limits, strict=True
        )
    ]
    if any(shares):
        words = [share or "no limit" for share in shares]
        yield SideFact("Of the limit", words[0], words[1])
    if before.created_at or after.created_at:
        built = [
            f"{image.created_at:%Y-%m-%d}" if image.created_at else "unknown"
            for image in (before, after)
        ]
        yield SideFact("Built", built[0], built[1])
