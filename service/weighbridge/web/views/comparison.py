"""The page of two images side by side: the answer in figures, both on one scale, and
their lines with what each adds.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from weighbridge.domain.size.weigh_image import image_total
from weighbridge.domain.size.weighing import WeighedImage, WeighedLayer, WeighedLine
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
from weighbridge.web.views.words import Amount, amount, compressed, summary

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


class Measure(Struct, frozen=True):
    """Which bytes of both images are shown: what a pull moves, or what a disk takes.

    is_pulled: the former, of which a layer that comes twice is counted once
    """

    name: str
    is_pulled: bool
    image: Callable[[WeighedImage], Amount]
    part: Callable[[LayersPart], Amount]
    layer: Callable[[WeighedLayer], Amount]

    def line(self, image: WeighedImage, line: WeighedLine | None) -> Amount:
        """What a line of the image made; `none` where it has no such line."""
        if line is None:
            return _NONE
        if line.layer is not None:
            is_again = self.is_pulled and line.compressed_bytes == 0
            return Amount(0) if is_again else self.layer(image.layers[line.layer])
        if line.compressed_bytes is None:
            return Amount(None, reason="It is not known how much this line added")
        return Amount(0)

    def base(self, images: ImageComparison) -> Amount:
        """The layers of a base that both stand on, as the second image weighs them."""
        if self.is_pulled:
            return Amount(images.base_bytes)
        return amount(image_total(images.after.layers[: images.base_layers]))

    def grown(self, images: ImageComparison) -> int | None:
        """How much more it is of the second; None where it is not known of one."""
        return _difference(self.image(images.before), self.image(images.after))


COMPRESSED: Final = Measure(
    "compressed",
    True,
    compressed,
    lambda part: Amount(part.compressed_bytes),
    compressed,
)
ON_DISK: Final = Measure(
    "on disk",
    False,
    lambda image: amount(image.uncompressed),
    lambda part: amount(part.uncompressed),
    lambda layer: amount(layer.uncompressed),
)


def _difference(before: Amount, after: Amount) -> int | None:
    was, now = (0 if each is _NONE else each.number for each in (before, after))
    return None if was is None or now is None else now - was


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
    bar: Floating | None = None


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


class SidesRow(Struct, frozen=True):
    """A number of both images, and how much more it is of the second."""

    name: str
    before: Amount
    after: Amount
    grown: SignedChange


class ComparisonPage(Struct, frozen=True):
    """names: what the images are called beside each other
    total:  of both images, in the bytes that are shown; `beside`: in the others
    shared, only_before, only_after: of layers; `base`: of the base that both stand on,
            whose rows are `base_rows`, and which is called `base_name`
    bar:    None where it is not known how large one of both is
    rows:   lines with a layer; `metadata`: those without one, with their sign
    top:    the end of the scale of the floating bars; None: there are none, as it is
            not known of a line what it added"""

    comparison: Comparison
    images: ImageComparison
    names: tuple[str, str]
    platforms: Sequence[str]
    banners: Sequence[Banner]
    measure: str
    total: SidesRow
    beside: SidesRow
    shared: Amount
    only_before: Amount
    only_after: Amount
    base: Amount
    times: str
    bar: ScaledBar | None
    heaviest: ComparedRow | None
    rows: Sequence[ComparedRow]
    base_rows: Sequence[ComparedRow]
    base_name: str
    metadata: Sequence[tuple[str, str, str]]
    top: int | None
    ends: tuple[float, float]
    facts: Sequence[SideFact]
    markdown: str


def comparison_page(
    comparison: Comparison,
    limits: tuple[int | None, int | None] = (None, None),
    *,
    only_changed: bool = False,
    measure: Measure = COMPRESSED,
) -> ComparisonPage:
    """Of the first platform that was compared; the others are links.

    limits: of compressed bytes, of either
    """
    images = comparison.images[0]
    total = _sides(images, measure)
    rows, top = _rows(images, measure)
    heaviest = _heaviest(rows)
    is_of_base = [images.is_of_base(line) for line in images.lines if line.has_layer]
    base_rows = [row for row, is_it in zip(rows, is_of_base, strict=True) if is_it]
    shown = [row for row, is_it in zip(rows, is_of_base, strict=True) if not is_it]
    if only_changed:
        shown = [row for row in shown if row.css != "same"]
    was, now = total.before.number or 0, total.after.number or 0
    return ComparisonPage(
        comparison=comparison,
        images=images,
        names=names_of(comparison),
        platforms=_platforms(comparison),
        banners=[Banner("", text, False) for text in comparison_warnings(comparison)],
        measure=measure.name,
        total=total,
        beside=_sides(images, ON_DISK if measure.is_pulled else COMPRESSED),
        shared=measure.part(images.shared),
        only_before=measure.part(images.only_before),
        only_after=measure.part(images.only_after),
        base=measure.base(images),
        times=_times(was, now),
        bar=_bar(images, measure, heaviest),
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
        ends=(_percent(was, top or 0), _percent(now, top or 0)),
        facts=list(_facts(images, limits)),
        markdown=comparison_markdown(replace(comparison, images=(images,)), Screen()),
    )


def _sides(images: ImageComparison, measure: Measure) -> SidesRow:
    before, after = measure.image(images.before), measure.image(images.after)
    grown = _growth(measure.grown(images), before.number or 0)
    return SidesRow(measure.name.capitalize(), before, after, grown)


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
    """`2.30 times`; "" where there is nothing to divide, or to divide by."""
    return f"{after / before:.2f} times" if before and after else ""


def _percent(part: int, whole: int) -> float:
    return round(part / whole * 100, 2) if whole else 0.0


def _rows(
    images: ImageComparison, measure: Measure
) -> tuple[list[ComparedRow], int | None]:
    """The rows, and the largest of the sums that they run through; None where one of
    these is not known."""
    start, end = measure.image(images.before).number, measure.image(images.after).number
    rows = [
        _row(number, images, line, measure)
        for number, line in enumerate(
            (line for line in images.lines if line.has_layer), start=1
        )
    ]
    if start is None or end is None:
        return rows, None
    sums = [start]
    for row in rows:
        sums.append(sums[-1] + (row.grown.number or 0))
    top = max(*sums, end)
    small = start * COLOURED_PERCENT
    return [
        replace(row, bar=_floating(was, now, top, small))
        for row, was, now in zip(rows, sums, sums[1:], strict=False)
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
    number: int, images: ImageComparison, line: ComparedLine, measure: Measure
) -> ComparedRow:
    sign, _, words, _ = SIGNS[line.change]
    shown = line.after or line.before
    before = measure.line(images.before, line.before)
    after = measure.line(images.after, line.after)
    whole = measure.image(images.before).number or 0
    return ComparedRow(
        key=f"d{number}",
        number=None if shown is None else line_number(shown),
        css=_CSS[line.change],
        sign=sign,
        title=words,
        instruction=line.instruction,
        note=_note(line),
        before=before,
        after=after,
        grown=_growth(_difference(before, after), whole),
    )


def _note(line: ComparedLine) -> str:
    if line.change == "rebuilt":
        return "same text, new layer"
    if line.change == "changed" and line.before is not None:
        return f"before: {summary(line.before.instruction, 2 * SUMMARY_CHARACTERS)}"
    return ""


def _heaviest(rows: Sequence[ComparedRow]) -> ComparedRow | None:
    """What added most; None where nothing was added."""
    most = max(rows, key=lambda row: row.grown.number or 0, default=None)
    return most if most is not None and (most.grown.number or 0) > 0 else None


def _bar(
    images: ImageComparison, measure: Measure, heaviest: ComparedRow | None
) -> ScaledBar | None:
    parts = images.only_before, images.only_after
    sides = [measure.image(each).number for each in (images.before, images.after)]
    if None in sides:
        return None
    scale = max(number or 0 for number in sides)
    alone = [_share(measure.part(part).number or 0, scale) for part in parts]
    both = _share(measure.part(images.shared).number or 0, scale)
    shared = min(both, 100 - max(alone))
    keys = _keys(images)
    before, after = (
        [
            Segment(
                *keys[layer.digest],
                "line",
                measure.layer(layer).number or 0,
                is_heaviest=heaviest is not None
                and part is images.only_after
                and keys[layer.digest][0] == heaviest.key,
            )
            for layer in part.layers
        ]
        for part in parts
    )
    return ScaledBar(
        shared=round(shared, 2),
        base=round(min(_share(measure.base(images).number or 0, scale), shared), 2),
        before=_placed(before, shared, alone[0]),
        after=_placed(after, shared, alone[1]),
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


def _placed(parts: Sequence[Segment], start: float, share: float) -> list[Segment]:
    """As a bar that begins there and is so long, in percent."""
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
