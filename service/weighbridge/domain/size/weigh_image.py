"""An image's two weights, from its layers, with the confidence that they allow.

What a manifest claims of a layer is applied to what the layer's own bytes show. A claim
counts for the manifest that makes it, and for no other: the media type, whether it is
foreign, and an annotation with the uncompressed size.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from weighbridge.domain import limits
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Image, Layer, Line
from weighbridge.domain.image.image_config import METADATA, SQUASHED, keyword
from weighbridge.domain.size.blob_format import (
    annotated,
    claimed_format,
    fits_trailer,
    most_uncompressed_bytes,
)
from weighbridge.domain.size.confidence import (
    COMPRESSED_CONFIDENCES,
    CONFIDENCES,
    CompressedConfidence,
    Confidence,
    MeasuredBlob,
    Seen,
    Uncompressed,
)
from weighbridge.domain.size.weighing import WeighedImage, WeighedLayer, WeighedLine

# A layer whose bounds lie closer together than this part of the image's total says
# nothing about how sure the total is.
_NEGLIGIBLE: Final = (1, 200)

_SURE: Final = ("exact", "trailer")


def weigh_image(image: Image, measured: Mapping[Digest, MeasuredBlob]) -> WeighedImage:
    """The image with both sizes of every layer and line; `measured` may lack some.

    The registry's word on a layer beats the manifest's claim, in both directions.
    """
    layers = tuple(weigh_layer(y, measured.get(y.digest)) for y in image.layers)
    return WeighedImage(
        platform=image.platform,
        digest=image.digest,
        media_type=image.media_type,
        config_digest=image.manifest.config.digest,
        created_at=image.created_at,
        compressed_bytes=sum({y.digest: y.compressed_bytes for y in layers}.values()),
        claimed_bytes=image.compressed_bytes,
        compressed_confidence=weakest_word(layers),
        uncompressed=image_total(layers),
        layers=layers,
        lines=_weigh_lines(image, layers),
        history_alignment=image.history_alignment,
        problems=image.problems,
    )


def image_total(layers: Sequence[WeighedLayer]) -> Uncompressed:
    """The sum over all layers, a repeated one as often as it is there.

    Its confidence is the weakest among layers that matter: all that are `exact` or
    `trailer`, and those whose bounds are further apart than 0.5 % of the total. The
    value is None if one of these is `unknown`. The bounds are sums in any case; a
    bound is None where a layer has none.
    """
    parts = [_part(layer) for layer in layers]
    total = sum(part.value for part in parts)
    low = sum(part.size.low_bytes or 0 for part in parts)
    highs = [part.size.high_bytes for part in parts]
    high = None if None in highs else sum(high for high in highs if high is not None)
    counted = [part for part in parts if _matters(part.size, total)]
    if not counted:
        # Only bounds, all of them tight: the sum is good, but no layer vouches for it.
        confidence: Confidence = "estimate" if parts else "exact"
        return Uncompressed(confidence, total, low, high)
    weakest = max(
        counted, key=lambda part: (CONFIDENCES.index(part.size.confidence), part.width)
    )
    known = None if weakest.size.confidence == "unknown" else total
    return Uncompressed(weakest.size.confidence, known, low, high, weakest.size.reason)


def pulled_bytes(
    lines: Iterable[int | None], layers: Sequence[tuple[Hashable, int]]
) -> list[int | None]:
    """Compressed bytes that are pulled for each line; None where it has no layer. A
    layer that is there twice is pulled once: its first line has the bytes.

    lines:  of each line the place of its layer
    layers: of each layer its blob, and the blob's compressed bytes
    """
    pulled: set[Hashable] = set()
    found: list[int | None] = []
    for place in lines:
        if place is None:
            found.append(None)
            continue
        blob, compressed_bytes = layers[place]
        found.append(0 if blob in pulled else compressed_bytes)
        pulled.add(blob)
    return found


class _Part(Struct, frozen=True):
    """One layer's part in the total.

    value: its size, or the low bound of an unknown one
    width: how far its bounds are apart
    """

    size: Uncompressed
    value: int
    width: int


def _part(layer: WeighedLayer) -> _Part:
    size = layer.uncompressed or _not_measured(layer)
    value = size.uncompressed_bytes
    if value is None:
        value = size.low_bytes or 0
    low, high = size.low_bytes or 0, size.high_bytes
    if high is None:
        high = most_uncompressed_bytes("", layer.compressed_bytes)
    return _Part(size, value, max(high - low, 0))


def _not_measured(layer: WeighedLayer) -> Uncompressed:
    most = most_uncompressed_bytes(layer.media_type, layer.compressed_bytes)
    return Uncompressed("unknown", None, 0, most, "not_measured")


def _matters(size: Uncompressed, total: int) -> bool:
    if size.confidence in _SURE or size.low_bytes is None or size.high_bytes is None:
        return True
    part, of = _NEGLIGIBLE
    return (size.high_bytes - size.low_bytes) * of > total * part


def weigh_layer(layer: Layer, measured: MeasuredBlob | None) -> WeighedLayer:
    """One layer by what its registry answered; None: it was not asked yet."""
    claimed = layer.compressed_bytes
    known = None if measured is None else measured.registry_bytes
    size = None if measured is None else uncompressed_size(layer, measured)
    return WeighedLayer(
        digest=layer.digest,
        media_type=layer.media_type,
        compressed_bytes=claimed if known is None else known,
        is_foreign=is_elsewhere(layer, measured),
        uncompressed=size,
        claimed_bytes=claimed,
        compressed_confidence=_word(claimed, known),
        claim_reason=claim_reason(layer, measured),
    )


def _word(claimed: int, known: int | None) -> CompressedConfidence:
    if known is None:
        return "claimed"
    return "known" if known == claimed else "disputed"


def weakest_word(layers: Sequence[WeighedLayer]) -> CompressedConfidence:
    """Whose word the sum of these layers is; of none: `known`."""
    return max(
        (layer.compressed_confidence for layer in layers),
        key=COMPRESSED_CONFIDENCES.index,
        default="known",
    )


def _weigh_lines(
    image: Image, layers: Sequence[WeighedLayer]
) -> tuple[WeighedLine, ...]:
    sharing = _sharing(image.lines)
    compressed_bytes = pulled_bytes(
        (line.layer for line in image.lines),
        [(layer.digest, layer.compressed_bytes) for layer in layers],
    )
    lines = []
    for number, (line, compressed) in enumerate(
        zip(image.lines, compressed_bytes, strict=True)
    ):
        if line.layer is None:
            is_known = image.history_alignment != "unresolved" and number not in sharing
            compressed = uncompressed = 0 if is_known else None
        else:
            size = layers[line.layer].uncompressed
            uncompressed = None if size is None else size.uncompressed_bytes
        lines.append(WeighedLine(*line, compressed, uncompressed))
    return tuple(lines)


def _sharing(lines: Sequence[Line]) -> frozenset[int]:
    """Lines whose work is in a layer that several of them share: what each of them
    adds is not known."""
    sharing: set[int] = set()
    since: list[int] = []
    for number, line in enumerate(lines):
        if line.layer is None:
            if keyword(line.instruction) not in METADATA:
                since.append(number)
            continue
        if line.instruction == SQUASHED:
            sharing.update(since)
        since.clear()
    return frozenset(sharing)


NOT_HELD: Final = "not_found"
"""Why there is no word: the registry was asked, and holds no such blob."""

_UNSAID: Final = frozenset({"multi_member", "implausible_isize"})
"""What gzip's trailer says nothing about."""


def is_elsewhere(layer: Layer, measured: MeasuredBlob | None) -> bool:
    """Whether a layer that its manifest calls foreign may be so: the registry has not
    said that it holds it."""
    if measured is None or not layer.is_foreign:
        return layer.is_foreign
    return measured.registry_bytes is None and measured.claim_reason != "no_length"


def claim_reason(layer: Layer, measured: MeasuredBlob | None) -> str:
    """Why a layer's compressed bytes are what its manifest says, "" where they are the
    registry's word."""
    if measured is None:
        return "not_asked"
    is_foreign = layer.is_foreign and measured.claim_reason == NOT_HELD
    return "foreign" if is_foreign else measured.claim_reason


def uncompressed_size(layer: Layer, measured: MeasuredBlob) -> Uncompressed:
    """The uncompressed size of one manifest's layer.

    Bytes that are not what the media type claims give bounds, but no size
    (`format_mismatch`): some clients believe the type and fail, others look and unpack;
    what such a layer weighs depends on who pulls it.
    """
    known = measured.registry_bytes
    compressed = layer.compressed_bytes if known is None else known
    size, seen = measured.uncompressed, measured.seen
    claimed = claimed_format(layer.media_type)
    is_encrypted = claimed == "encrypted" and seen in (None, "other")
    if size.confidence == "unknown" and size.high_bytes is None:
        is_foreign = layer.is_foreign and size.reason == NOT_HELD
        reason = "foreign" if is_foreign else size.reason
        size = _bounded(layer, compressed, "encrypted" if is_encrypted else reason)
    elif seen == "other":
        reason = "encrypted" if is_encrypted else "format_mismatch"
        size = _bounded(layer, compressed, reason)
    elif seen is not None and claimed and not seen.startswith(claimed):
        low, high = size.low_bytes, size.high_bytes
        size = Uncompressed("unknown", None, low, high, "format_mismatch")
    elif _may_be_annotated(layer, seen, size, compressed):
        size = annotated(size, layer.annotated_uncompressed_bytes, compressed)
    return size


def _bounded(layer: Layer, compressed_bytes: int, reason: str) -> Uncompressed:
    """Unknown, with the bounds that the compressed size alone gives."""
    most = most_uncompressed_bytes(layer.media_type, compressed_bytes)
    return Uncompressed("unknown", None, 0, most, reason)


def _may_be_annotated(
    layer: Layer, seen: Seen | None, size: Uncompressed, compressed_bytes: int
) -> bool:
    """Whether the bytes leave open what an annotation may say: never beside a trailer
    that was right, nor against one that may have wrapped."""
    wrote = layer.annotated_uncompressed_bytes
    if wrote is None or size.confidence in ("exact", "trailer"):
        return False
    if seen == "zstd":
        return True
    if seen not in ("gzip", "gzip_end") or compressed_bytes <= limits.SMALL_BLOB_BYTES:
        return False
    if size.uncompressed_bytes is None:
        return size.reason in _UNSAID
    return fits_trailer(wrote, size.uncompressed_bytes)
