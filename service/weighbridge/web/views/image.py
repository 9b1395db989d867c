"""The page of one image: the verdict, its cause, and the evidence, which is the table
of its lines and what each adds.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.image.digest import short
from weighbridge.domain.image.image_config import METADATA, keyword
from weighbridge.domain.size.weighing import (
    WeighedImage,
    WeighedLayer,
    WeighedLine,
    Weighing,
)
from weighbridge.presentation.forms.phrases import plural
from weighbridge.presentation.rows.report_rows import StandIn, stand_in
from weighbridge.web.views.charts import (
    Label,
    Segment,
    bar_labels,
    layer_bar,
    row_share,
)
from weighbridge.web.views.frame import Banner
from weighbridge.web.views.words import (
    BITS_A_SECOND,
    Amount,
    amount,
    confidence_sentence,
    marked,
    percent,
    pull_time,
    summary,
)

_SUMMARY_CHARACTERS: Final = 80
_LAYERS_HEADING: Final = "Layers: which line made each is not known"
_LINES_HEADING: Final = "Lines of the history: how many bytes each added is not known"
_UNPLACED: Final = Amount(None, reason="It is not known which layer this line made")


class LineRow(Struct, frozen=True):
    """One layer with its line, or a line whose bytes cannot be told.

    key:     the layer's anchor, "" for a line that has no layer of its own
    place:   what the row is called elsewhere, `line 5`; `layer 5` where its line is
             not known or is several; "" without a layer
    number:  the 5 of `line 5`, None for what is no line
    command: the first word of the instruction, `rest` what follows it
    stands_for: what is shown in the place of a line; then `rest` is all the words
    compressed: 0 where an earlier line has the same layer: it is moved once
    claimed_bytes: what the manifest says, where the registry says otherwise
    bar:     percent of the column, of the heaviest line
    """

    key: str
    place: str
    number: int | None
    command: str
    rest: str
    stands_for: StandIn
    digest: str
    media_type: str
    compressed: Amount
    uncompressed: Amount
    share: str
    bar: float = 0.0
    is_heaviest: bool = False
    note: str = ""
    claimed_bytes: int | None = None

    @property
    def text(self) -> str:
        """The whole line, or the words that stand for it."""
        return f"{self.command} {self.rest}".strip()

    @property
    def compressed_bytes(self) -> int:
        """What the row adds to the sum."""
        return self.compressed.number or 0


class MetadataLine(Struct, frozen=True):
    """A line without a layer, and the number of the layer line before it."""

    after: int
    command: str
    rest: str


class LineGroup(Struct, frozen=True):
    """Rows with a heading, "" where the table has one group only."""

    heading: str
    rows: tuple[LineRow, ...]


class LineTable(Struct, frozen=True):
    """The layers' rows sum to `compressed_bytes`.

    lines: how many the history has, with and without layers
    """

    groups: tuple[LineGroup, ...]
    metadata: tuple[MetadataLine, ...]
    metadata_summary: str
    compressed_bytes: int
    lines: int

    @property
    def layers(self) -> list[LineRow]:
        """The rows that are layers."""
        return [row for group in self.groups for row in group.rows if row.key]

    @property
    def heaviest(self) -> LineRow | None:
        """The row with the most bytes, None where there is none with any."""
        return next((row for row in self.layers if row.is_heaviest), None)

    @property
    def heaviest_summary(self) -> str:
        """The heaviest line in at most 80 characters."""
        row = self.heaviest
        return summary(row.text, _SUMMARY_CHARACTERS) if row else ""

    def parts(self) -> list[Segment]:
        """The layers as the bar sees them."""
        return [
            Segment(
                row.key,
                summary(row.text, _SUMMARY_CHARACTERS),
                row.place,
                row.compressed_bytes,
                row.is_heaviest,
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
    metadata: list[MetadataLine] = []
    if image.history_alignment == "unresolved":
        groups = _unresolved(layers, image.lines)
    else:
        parts, metadata = _apart(image.lines)
        rows = [row for r in layers for row in (*parts.get(r.key, ()), r)]
        groups = [LineGroup("", tuple(rows))]
    return LineTable(
        groups=tuple(groups),
        metadata=tuple(metadata),
        metadata_summary=_summary(metadata),
        compressed_bytes=image.compressed_bytes,
        lines=sum(not stand_in(line.instruction) for line in image.lines),
    )


def _row(
    index: int, layer: WeighedLayer, line: WeighedLine | None, image: WeighedImage
) -> LineRow:
    earlier = [other.digest for other in image.layers[:index]]
    same_as = earlier.index(layer.digest) + 1 if layer.digest in earlier else 0
    compressed_bytes = 0 if same_as else layer.compressed_bytes
    compressed = marked(
        Amount(layer.compressed_bytes), layer.compressed_confidence, layer.claimed_bytes
    )
    is_disputed = layer.compressed_confidence == "disputed"
    stands_for: StandIn = stand_in(line.instruction) if line else "unknown"
    is_line = line is not None and not stands_for
    kind = "line" if is_line else "layer"
    command, rest = _split(line.instruction) if line and is_line else ("", "")
    return LineRow(
        key=_key(index),
        place=f"{kind} {index + 1}",
        number=index + 1 if is_line else None,
        command=command,
        rest=rest if is_line else _words(index, layer, stands_for),
        stands_for=stands_for,
        digest=layer.digest,
        media_type=layer.media_type,
        compressed=Amount(0) if same_as else compressed,
        uncompressed=amount(layer.uncompressed),
        share=percent(compressed_bytes, image.compressed_bytes),
        note=_note(layer, f"{kind} {same_as}" if same_as else ""),
        claimed_bytes=layer.claimed_bytes if is_disputed and not same_as else None,
    )


def _words(index: int, layer: WeighedLayer, stands_for: StandIn) -> str:
    if stands_for == "squashed":
        return f"Layer {index + 1}: several of the lines above, squashed into one"
    return f"Layer {index + 1}, {short(layer.digest)}: its line is not known"


def _key(index: int) -> str:
    return f"l{index + 1}"


def _note(layer: WeighedLayer, same_as: str) -> str:
    if same_as:
        return f"same layer as {same_as}, moved once"
    if layer.is_foreign:
        return "is not stored in this registry, counted in a pull only"
    return ""


def _marked(rows: Sequence[LineRow]) -> list[LineRow]:
    """With bars, and the heaviest row marked; the first of equals."""
    largest = max((row.compressed_bytes for row in rows), default=0)
    heaviest = next((r.key for r in rows if r.compressed_bytes == largest), "")
    return [
        replace(
            row,
            bar=row_share(row.compressed_bytes, largest),
            is_heaviest=bool(largest) and row.key == heaviest,
        )
        for row in rows
    ]


def _unresolved(
    layers: Sequence[LineRow], lines: Sequence[WeighedLine]
) -> list[LineGroup]:
    unplaced = [_without_layer(line, _UNPLACED) for line in lines if line.layer is None]
    groups = [LineGroup(_LAYERS_HEADING if unplaced else "", tuple(layers))]
    if unplaced:
        groups.append(LineGroup(_LINES_HEADING, tuple(unplaced)))
    return groups


def _apart(
    lines: Sequence[WeighedLine],
) -> tuple[dict[str, list[LineRow]], list[MetadataLine]]:
    """The lines without a layer of their own: those whose work is in a squashed
    layer, by its key, and those that made nothing."""
    parts: dict[str, list[LineRow]] = {}
    metadata: list[MetadataLine] = []
    waiting: list[WeighedLine] = []
    after = 0
    for line in lines:
        if line.layer is None:
            waiting.append(line)
            continue
        is_squashed = stand_in(line.instruction) == "squashed"
        for earlier in waiting:
            if is_squashed and keyword(earlier.instruction) not in METADATA:
                row = _part_of(earlier, line.layer)
                parts.setdefault(_key(line.layer), []).append(row)
            else:
                metadata.append(MetadataLine(after, *_split(earlier.instruction)))
        waiting = []
        after = line.layer + 1
    metadata += [MetadataLine(after, *_split(line.instruction)) for line in waiting]
    return parts, metadata


def _part_of(line: WeighedLine, layer: int) -> LineRow:
    word = f"in layer {layer + 1}"
    reason = f"Its bytes are in layer {layer + 1}, together with those of other lines"
    return _without_layer(line, Amount(None, word=word, reason=reason))


def _without_layer(line: WeighedLine, size: Amount) -> LineRow:
    command, rest = _split(line.instruction)
    return LineRow(
        key="",
        place="",
        number=None,
        command=command,
        rest=rest,
        stands_for="",
        digest="",
        media_type="",
        compressed=size,
        uncompressed=size,
        share="",
    )


def _summary(metadata: Sequence[MetadataLine]) -> str:
    """`CMD, ENV, EXPOSE`: each command once, in the order of the Dockerfile."""
    return ", ".join(dict.fromkeys(line.command for line in metadata))


def _split(instruction: str) -> tuple[str, str]:
    command, _, rest = instruction.partition(" ")
    return command, rest


_INFERRED: Final = "Which line made which layer is inferred from what the lines say."
_SQUASHED: Final = (
    "Several lines were committed as one layer: what each of them added is not known."
)
_MISMATCH: Final = "history_mismatch"
"""The problem that every image with the alignment `unresolved` has, if it has a
history: one sentence says both."""
_ROLES: Final = {
    "artifact": "other artifact",
    "attestation": "attestation",
    "image": "image that is not pulled",
}


class PlatformLink(Struct, frozen=True):
    """A switch to another platform of the same index."""

    name: str
    is_shown: bool


class OtherRow(Struct, frozen=True):
    """Something in the same index that is no image."""

    role: str
    digest: str
    media_type: str
    stored_bytes: int | None


class ImagePage(Struct, frozen=True):
    """image and table are None for what is no image; then only the head, the
    banners and the others are shown.

    claimed_bytes: what the manifest says, where the registry says otherwise
    """

    title: str
    ref: str
    weighing: Weighing
    aliases: tuple[str, ...]
    platforms: tuple[PlatformLink, ...]
    banners: tuple[Banner, ...]
    others: tuple[OtherRow, ...]
    others_bytes: int
    image: WeighedImage | None
    table: LineTable | None
    compressed: Amount
    claimed_bytes: int | None
    on_disk: Amount
    confidence: str
    pull_fast: str
    pull_slow: str
    segments: tuple[Segment, ...]
    labels: tuple[Label, ...]
    heaviest_share: str
    remaining_bytes: int

    @property
    def short_digest(self) -> str:
        """`sha256:` and 12 digits."""
        return short(self.weighing.digest)


def image_page(
    weighing: Weighing,
    aliases: Sequence[str] = (),
    banners: Sequence[Banner] = (),
) -> ImagePage:
    """The page of the first image of the weighing; `banners` come before its own."""
    image = weighing.images[0] if weighing.images else None
    table = line_table(image) if image else None
    segments = layer_bar(table.parts()) if table else []
    compressed = image.compressed_bytes if image else 0
    heaviest = table.heaviest.compressed_bytes if table and table.heaviest else 0
    fast, slow = BITS_A_SECOND.values()
    return ImagePage(
        title=_title(weighing),
        ref=f"{weighing.registry}/{_title(weighing)}",
        weighing=weighing,
        aliases=tuple(name for name in aliases if name != weighing.tag),
        platforms=_platforms(weighing, image),
        banners=(*banners, *_banners(weighing, image, table)),
        others=tuple(
            OtherRow(
                _ROLES.get(o.role, o.role),
                short(o.digest),
                o.media_type,
                o.stored_bytes,
            )
            for o in weighing.others
        ),
        others_bytes=sum(other.stored_bytes or 0 for other in weighing.others),
        image=image,
        table=table,
        compressed=_compressed(image),
        claimed_bytes=image.claimed_bytes
        if image and image.compressed_confidence == "disputed"
        else None,
        on_disk=amount(image.uncompressed) if image else Amount(None),
        confidence=confidence_sentence(image.uncompressed, compressed) if image else "",
        pull_fast=pull_time(compressed, fast),
        pull_slow=pull_time(compressed, slow),
        segments=tuple(segments),
        labels=tuple(bar_labels(segments)),
        heaviest_share=percent(heaviest, compressed),
        remaining_bytes=compressed - heaviest,
    )


def _compressed(image: WeighedImage | None) -> Amount:
    if image is None:
        return Amount(None)
    size = Amount(image.compressed_bytes)
    return marked(size, image.compressed_confidence, image.claimed_bytes)


def _title(weighing: Weighing) -> str:
    if weighing.tag is not None:
        return f"{weighing.repository}:{weighing.tag}"
    return f"{weighing.repository}@{weighing.digest}"


def _platforms(
    weighing: Weighing, image: WeighedImage | None
) -> tuple[PlatformLink, ...]:
    shown = str(image.platform) if image else ""
    names = dict.fromkeys(str(platform) for platform in weighing.platforms)
    return tuple(PlatformLink(name, name == shown) for name in names)


def _banners(
    weighing: Weighing, image: WeighedImage | None, table: LineTable | None
) -> list[Banner]:
    texts = list(weighing.warnings)
    if image is not None and table is not None:
        texts += [p.message for p in image.problems if p.code != _MISMATCH]
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
        has_cause = any(p.code != _MISMATCH for p in image.problems)
        return [] if has_cause else ["It has no history: no line is known."]
    lines = plural(table.lines, "line")
    fits = "does" if table.lines == 1 else "do"
    layers = plural(len(image.layers), "layer")
    return [
        f"The {lines} of its history {fits} not fit its {layers}: what each line "
        "added is not known."
    ]
