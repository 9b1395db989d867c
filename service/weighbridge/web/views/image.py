"""The page of one image: the verdict, its cause, and the evidence, which is the table
of its lines and what each adds.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.base.names import name_in_from
from weighbridge.domain.image.digest import short
from weighbridge.domain.image.image_config import (
    HISTORY_MISMATCH,
    METADATA,
    keyword,
)
from weighbridge.domain.report.lighter import Lighter
from weighbridge.domain.size.weigh_image import image_total
from weighbridge.domain.size.weighing import (
    WeighedImage,
    WeighedLayer,
    WeighedLine,
    Weighing,
)
from weighbridge.presentation.forms.phrases import plural
from weighbridge.presentation.rows.report_rows import StandIn, stand_in
from weighbridge.store.tags.whereabouts import NOWHERE_ELSE, Whereabouts
from weighbridge.web.views.charts import (
    Label,
    Segment,
    bar_labels,
    layer_bar,
    row_share,
)
from weighbridge.web.views.frame import Banner
from weighbridge.web.views.words import (
    Amount,
    amount,
    compressed,
    summary,
)

SUMMARY_CHARACTERS: Final = 80
_LAYERS_HEADING: Final = "Layers: which line made each is not known"
_LINES_HEADING: Final = "Lines of the history: how many bytes each added is not known"
_UNPLACED: Final = Amount(None, reason="It is not known which layer this line made")


class LineRow(Struct, frozen=True):
    """One layer with its line, or a line whose bytes cannot be told.

    instruction: the line, or the words that stand for it
    compressed:  0 where an earlier line has the same layer: it is moved once
    stands_for:  what is shown in the place of a line
    layer:       None for a line that has none of its own; `position` is its place in
                 the image, from 1 on
    bar:         percent of the column, of the heaviest line
    is_base:     whether the layer is its base's
    claimed_bytes: what the manifest says, where the registry says otherwise
    """

    instruction: str
    compressed: Amount
    uncompressed: Amount
    stands_for: StandIn = ""
    layer: WeighedLayer | None = None
    position: int = 0
    bar: float = 0.0
    is_heaviest: bool = False
    note: str = ""
    claimed_bytes: int | None = None
    is_base: bool = False

    @property
    def key(self) -> str:
        """The layer's anchor, "" for a line that has no layer of its own."""
        return f"l{self.position}" if self.position else ""

    @property
    def place(self) -> str:
        """What the row of a layer is called elsewhere, `line 5`; `layer 5` where its
        line is not known or is several."""
        return f"{'layer' if self.stands_for else 'line'} {self.position}"

    @property
    def text(self) -> str:
        """The whole line, or the words that stand for it."""
        return self.instruction.strip()

    @property
    def compressed_bytes(self) -> int:
        """What the row adds to the sum."""
        return self.compressed.number or 0


class BaseRows(Struct, frozen=True):
    """The layers of an image that are its base's, and its own.

    name:      as it is written in FROM
    also:      its other names
    bar:       percent of the column, as of a line
    own_layers: how many follow it
    """

    name: str
    also: Sequence[str]
    layers: int
    compressed_bytes: int
    bar: float
    is_relative: bool
    own_layers: int
    own_bytes: int
    uncompressed: Amount
    own_uncompressed: Amount

    @property
    def folds(self) -> bool:
        """Whether its rows are shown only when they are asked for: the image has
        others."""
        return self.own_layers > 0


class LineTable(Struct, frozen=True):
    """The layers' rows sum to the image's compressed bytes.

    base:     None where it is not known which layers are the base's
    groups:   rows with a heading, "" where the table has one group only
    metadata: lines without a layer, each with the number of the layer line before it
    lines:    how many the history has, with and without layers
    """

    groups: Sequence[tuple[str, Sequence[LineRow]]]
    metadata: Sequence[tuple[int, str]]
    lines: int
    base: BaseRows | None = None

    @property
    def metadata_summary(self) -> str:
        """`CMD, ENV, EXPOSE`: each command once, in the order of the Dockerfile."""
        commands = (line.partition(" ")[0] for _, line in self.metadata)
        return ", ".join(dict.fromkeys(commands))

    @property
    def layers(self) -> list[LineRow]:
        """The rows that are layers."""
        return [row for _, rows in self.groups for row in rows if row.layer]

    @property
    def heaviest(self) -> LineRow | None:
        """The row with the most bytes, None where there is none with any."""
        return next((row for row in self.layers if row.is_heaviest), None)

    def parts(self) -> list[Segment]:
        """The layers as the bar sees them."""
        return [
            Segment(
                row.key,
                summary(row.text, SUMMARY_CHARACTERS),
                row.place,
                row.compressed_bytes,
                row.is_heaviest,
                is_base=row.is_base,
            )
            for row in self.layers
        ]


def line_table(image: WeighedImage) -> LineTable:
    """One row a layer, in the order of the Dockerfile, and the lines without one.

    Where lines and layers do not fit together both are listed, each with what is
    known of it.
    """
    line_of = {line.layer: line for line in image.lines if line.layer is not None}
    layers = _marked(
        [
            _row(index, layer, line_of.get(index), image)
            for index, layer in enumerate(image.layers)
        ]
    )
    metadata: list[tuple[int, str]] = []
    if image.history_alignment == "unresolved":
        groups = _unresolved(layers, image.lines)
    else:
        parts, metadata = _apart(image.lines)
        rows = [
            replace(row, is_base=r.is_base)
            for r in layers
            for row in (*parts.get(r.position, ()), r)
        ]
        groups = [("", rows)]
    lines = sum(not stand_in(line.instruction) for line in image.lines)
    return LineTable(groups, metadata, lines, _base_rows(image, layers))


def _base_rows(image: WeighedImage, rows: Sequence[LineRow]) -> BaseRows | None:
    base = image.base
    if base is None or base.layers is None:
        return None
    size = sum(row.compressed_bytes for row in rows if row.is_base)
    largest = max((row.compressed_bytes for row in rows), default=0)
    below = image.layers[: base.layers]
    known = {layer.digest for layer in below}
    own = [layer for layer in image.layers if layer.digest not in known]
    return BaseRows(
        name=name_in_from(base.reference),
        also=[name_in_from(name) for name in base.also],
        layers=base.layers,
        compressed_bytes=size,
        bar=min(row_share(size, largest), 100.0),
        is_relative=base.relation == "relative",
        own_layers=len(rows) - base.layers,
        own_bytes=image.compressed_bytes - size,
        uncompressed=amount(image_total(below)),
        own_uncompressed=amount(image_total(own)),
    )


def _row(
    index: int, layer: WeighedLayer, line: WeighedLine | None, image: WeighedImage
) -> LineRow:
    earlier = [other.digest for other in image.layers[:index]]
    same_as = earlier.index(layer.digest) + 1 if layer.digest in earlier else 0
    is_disputed = layer.compressed_confidence == "disputed"
    stands_for: StandIn = stand_in(line.instruction) if line else "unknown"
    kind = "layer" if stands_for else "line"
    return LineRow(
        instruction=line.instruction
        if line and not stands_for
        else _words(index, layer, stands_for),
        compressed=Amount(0) if same_as else compressed(layer),
        uncompressed=amount(layer.uncompressed),
        stands_for=stands_for,
        layer=layer,
        position=index + 1,
        note=_note(layer, f"{kind} {same_as}" if same_as else ""),
        claimed_bytes=layer.claimed_bytes if is_disputed and not same_as else None,
        is_base=image.base is not None and index < (image.base.layers or 0),
    )


def _words(index: int, layer: WeighedLayer, stands_for: StandIn) -> str:
    if stands_for == "squashed":
        return f"Layer {index + 1}: several of the lines above, squashed into one"
    return f"Layer {index + 1}, {short(layer.digest)}: its line is not known"


def _note(layer: WeighedLayer, same_as: str) -> str:
    if same_as:
        return f"same layer as {same_as}, moved once"
    if layer.is_foreign:
        return "is not stored in this registry, counted in a pull only"
    return ""


def _marked(rows: Sequence[LineRow]) -> list[LineRow]:
    """With bars, and the heaviest row marked; the first of equals."""
    largest = max((row.compressed_bytes for row in rows), default=0)
    heaviest = next((r for r in rows if r.compressed_bytes == largest), None)
    return [
        replace(
            row,
            bar=row_share(row.compressed_bytes, largest),
            is_heaviest=bool(largest) and row is heaviest,
        )
        for row in rows
    ]


def _unresolved(
    layers: Sequence[LineRow], lines: Sequence[WeighedLine]
) -> list[tuple[str, Sequence[LineRow]]]:
    unplaced = [
        LineRow(line.instruction, _UNPLACED, _UNPLACED)
        for line in lines
        if line.layer is None
    ]
    if not unplaced:
        return [("", layers)]
    return [(_LAYERS_HEADING, layers), (_LINES_HEADING, unplaced)]


def _apart(
    lines: Sequence[WeighedLine],
) -> tuple[dict[int, list[LineRow]], list[tuple[int, str]]]:
    """The lines without a layer of their own: those whose work is in a squashed
    layer, by its position, and those that made nothing."""
    parts: dict[int, list[LineRow]] = {}
    metadata: list[tuple[int, str]] = []
    waiting: list[WeighedLine] = []
    after = 0
    for line in lines:
        if line.layer is None:
            waiting.append(line)
            continue
        is_squashed = stand_in(line.instruction) == "squashed"
        for earlier in waiting:
            if is_squashed and keyword(earlier.instruction) not in METADATA:
                row = _part_of(earlier, line.layer + 1)
                parts.setdefault(line.layer + 1, []).append(row)
            else:
                metadata.append((after, earlier.instruction))
        waiting = []
        after = line.layer + 1
    metadata += [(after, line.instruction) for line in waiting]
    return parts, metadata


def _part_of(line: WeighedLine, position: int) -> LineRow:
    word = f"in layer {position}"
    reason = f"Its bytes are {word}, together with those of other lines"
    size = Amount(None, word=word, reason=reason)
    return LineRow(line.instruction, size, size)


_INFERRED: Final = "Which line made which layer is inferred from what the lines say."
_SQUASHED: Final = (
    "Several lines were committed as one layer: what each of them added is not known."
)


class ImagePage(Struct, frozen=True):
    """image and table are None for what is no image; then only the head, the
    banners and what else is in the index are shown. `lighter` is of the image.

    platforms: of the images in the index
    whereabouts: of the image, else of what is none
    """

    title: str
    ref: str
    weighing: Weighing
    aliases: Sequence[str]
    platforms: Sequence[str]
    banners: Sequence[Banner]
    image: WeighedImage | None
    table: LineTable | None
    segments: Sequence[Segment]
    labels: Sequence[Label]
    lighter: Lighter
    whereabouts: Whereabouts

    @property
    def sections(self) -> list[tuple[str, str]]:
        """The parts of the page that can be led to, each with its anchor."""
        has_lighter = self.lighter.savings or self.lighter.advice
        parts = [("li", "Lines"), ("im", "Image")]
        if has_lighter:
            parts.insert(1, ("ad", "What would make it lighter"))
        if self.table and self.table.heaviest:
            place = self.table.heaviest.place.capitalize()
            parts.insert(-1, ("he", place))
        if self.weighing.others:
            parts.append(("ot", "Not pulled"))
        return parts


def image_page(
    weighing: Weighing,
    aliases: Sequence[str] = (),
    banners: Sequence[Banner] = (),
    lighter: Sequence[Lighter] = (),
    whereabouts: Whereabouts = NOWHERE_ELSE,
) -> ImagePage:
    """The page of the first image of the weighing; `banners` come before its own."""
    image = weighing.images[0] if weighing.images else None
    table = line_table(image) if image else None
    segments = layer_bar(table.parts()) if table else []
    return ImagePage(
        title=_title(weighing),
        ref=f"{weighing.registry}/{_title(weighing)}",
        weighing=weighing,
        aliases=[name for name in aliases if name != weighing.tag],
        platforms=list(dict.fromkeys(map(str, weighing.platforms))),
        banners=[*banners, *_banners(weighing, image, table)],
        image=image,
        table=table,
        segments=segments,
        labels=bar_labels(segments),
        lighter=lighter[0] if lighter else Lighter(),
        whereabouts=whereabouts,
    )


def _title(weighing: Weighing) -> str:
    if weighing.tag is not None:
        return f"{weighing.repository}:{weighing.tag}"
    return f"{weighing.repository}@{weighing.digest}"


def _banners(
    weighing: Weighing, image: WeighedImage | None, table: LineTable | None
) -> list[Banner]:
    texts = list(weighing.warnings)
    if image is not None and table is not None:
        texts += [p.message for p in image.problems if p.code != HISTORY_MISMATCH]
        texts += _alignment(image, table)
    return [Banner("", text, False) for text in texts]


def _alignment(image: WeighedImage, table: LineTable) -> list[str]:
    """How sure it is which line made which layer, where that is to be said."""
    if any(row.stands_for == "squashed" for row in table.layers):
        return [_SQUASHED]
    if image.history_alignment == "inferred":
        return [_INFERRED]
    if image.history_alignment == "exact":
        return []
    if not table.lines:
        # A config that could not be read is a problem of its own, and the cause.
        has_cause = any(p.code != HISTORY_MISMATCH for p in image.problems)
        return [] if has_cause else ["It has no history: no line is known."]
    lines = plural(table.lines, "line")
    fits = "does" if table.lines == 1 else "do"
    layers = plural(len(image.layers), "layer")
    return [
        f"The {lines} of its history {fits} not fit its {layers}: what each line "
        "added is not known."
    ]
