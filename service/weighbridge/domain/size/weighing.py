"""A weighing: one reference, its images, their layers and lines, with every size, and
how each size is known: whose word a compressed size is, and the uncompressed size from
a few bytes of the layer.

This is what `inspect` prints, what the image page shows and what
`GET /api/v1/image` answers. `as_json` is the stable form (schema
`weighbridge.inspect/1`).
"""

import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import asdict, replace

from weighbridge.domain import limits
from weighbridge.domain.image.digest import Digest, short
from weighbridge.domain.image.document import HistoryAlignment, Layer, Problem, Role
from weighbridge.domain.image.image_base import BaseInWords, ImageBase
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.size.blob_format import (
    GZIP_MOST_RATIO,
    HEAD_BYTES,
    TAIL_BYTES,
    claimed_format,
    judge_head,
    judge_tail,
    most_uncompressed_bytes,
    seen_format,
    weigh_zstd,
)
from weighbridge.domain.size.confidence import (
    BlobContent,
    CompressedConfidence,
    RangeWanted,
    Seen,
    Uncompressed,
)

_STEP_BYTES: Final = 256 * limits.KIB
_GZIP_WBITS: Final = 31


class _Inflated(Struct, frozen=True):
    """How far decompression came; `fault` is "" where it reached the end."""

    content_bytes: int
    fault: str


def weigh_gzip(blob: bytes) -> Uncompressed:
    """The size of all members together: `exact`, checksums checked.

    A broken stream is unknown (`corrupt_gzip`, `implausible_isize`). One whose trailer
    says more than `SMALL_BLOB_INFLATED_BYTES`, and can be true, is left to it, and not
    decompressed. Any other that grows beyond that is unknown, and has at least what was
    decompressed: its members are several (`multi_member`), or the trailer is false
    (`implausible_isize`).
    """
    isize = int.from_bytes(blob[-4:], "little")
    most = GZIP_MOST_RATIO * len(blob)
    if limits.SMALL_BLOB_INFLATED_BYTES < isize <= most:
        by_trailer = judge_tail(blob[-TAIL_BYTES:], len(blob))
        if by_trailer.confidence == "trailer":
            return by_trailer
    inflated = _inflate(blob)
    if not inflated.fault:
        size = inflated.content_bytes
        return Uncompressed("exact", size, size, size)
    if inflated.fault == "too_large":
        reason = judge_tail(blob[-TAIL_BYTES:], len(blob)).reason or "implausible_isize"
        return Uncompressed("unknown", None, inflated.content_bytes, most, reason)
    fault = "implausible_isize" if isize > most else inflated.fault
    return Uncompressed("unknown", None, 0, most, fault)


def _inflate(blob: bytes) -> _Inflated:
    total = 0
    rest = blob
    while rest:
        member = zlib.decompressobj(wbits=_GZIP_WBITS)
        while not member.eof:
            try:
                content = member.decompress(rest, _STEP_BYTES)
            except zlib.error:
                return _Inflated(total, "corrupt_gzip")
            total += len(content)
            if total > limits.SMALL_BLOB_INFLATED_BYTES:
                return _Inflated(total, "too_large")
            rest = member.unconsumed_tail
            if not content and not rest and not member.eof:
                return _Inflated(total, "corrupt_gzip")
        rest = member.unused_data
    return _Inflated(total, "")


Measuring: TypeAlias = Generator[RangeWanted, bytes, BlobContent]
_Reading: TypeAlias = Generator[RangeWanted, bytes, bytes]


def measuring(layer: Layer) -> Measuring:
    """Asks for ranges of the layer's blob and returns what it holds.

    Every answer must be exactly the bytes that were asked for; a shorter or longer
    one ends the measuring with `bad_content_range`.
    """
    total = layer.compressed_bytes
    if total == 0:
        return BlobContent(None, Uncompressed("unknown", None, 0, 0, "empty_blob"))
    try:
        if total > limits.SMALL_BLOB_BYTES:
            return (yield from _by_ranges(layer))
        blob = yield from _read(layer, 0, total)
    except _WrongLength:
        return unseen("bad_content_range")
    seen = seen_format(blob[:HEAD_BYTES])
    if seen == "gzip":
        return BlobContent(seen, weigh_gzip(blob))
    if seen == "zstd":
        return BlobContent(seen, weigh_zstd(blob))
    return _by_plain_bytes(layer, seen)


def unseen(reason: str) -> BlobContent:
    """What is known of a blob no bytes of which could be read."""
    return BlobContent(None, Uncompressed("unknown", None, None, None, reason))


def _by_ranges(layer: Layer) -> Measuring:
    by_tail: Uncompressed | None = None
    if claimed_format(layer.media_type) == "gzip":
        by_tail = yield from _by_tail(layer)
        # The head has nothing to add where the trailer was right, or a whole gzip
        # member was seen at the end.
        if by_tail.confidence == "trailer" or by_tail.reason == "multi_member":
            return BlobContent("gzip_end", by_tail)
    head = yield from _read(layer, 0, HEAD_BYTES)
    seen = seen_format(head)
    if seen == "gzip":
        if by_tail is None:
            by_tail = yield from _by_tail(layer)
        return BlobContent(seen, by_tail)
    if seen == "zstd":
        return BlobContent(seen, judge_head(head, layer.compressed_bytes))
    return _by_plain_bytes(layer, seen)


def _by_tail(layer: Layer) -> Generator[RangeWanted, bytes, Uncompressed]:
    total = layer.compressed_bytes
    tail = yield from _read(layer, total - TAIL_BYTES, TAIL_BYTES)
    return judge_tail(tail, total)


def _by_plain_bytes(layer: Layer, seen: Seen) -> BlobContent:
    size = layer.compressed_bytes
    if seen == "tar":
        return BlobContent(seen, Uncompressed("exact", size, size, size))
    # Encrypted bytes look like nothing, and asking again would change nothing; of
    # other layers an answer may have been a wrong one.
    is_encrypted = claimed_format(layer.media_type) == "encrypted"
    reason = "encrypted" if is_encrypted else "format_mismatch"
    most = most_uncompressed_bytes("", size)
    return BlobContent(seen, Uncompressed("unknown", None, 0, most, reason))


class _WrongLength(Exception):
    """An answer that is not the range that was asked for."""


def _read(layer: Layer, first: int, length: int) -> _Reading:
    last = first + length - 1
    answer = yield RangeWanted(first, last, layer.compressed_bytes)
    if len(answer) != length:
        raise _WrongLength
    return answer


SCHEMA: Final = "weighbridge.inspect/1"


class WeighedLayer(Struct, frozen=True):
    """One layer with both sizes.

    compressed_bytes: what it is judged by: the registry's word where it is known, else
        the manifest's claim (`compressed_confidence` says which)
    claimed_bytes: what the manifest says
    uncompressed: None while not yet measured
    claim_reason: why the registry's word is not known, see `MeasuredBlob`
    """

    digest: Digest
    media_type: str
    compressed_bytes: int
    is_foreign: bool
    uncompressed: Uncompressed | None
    claimed_bytes: int
    compressed_confidence: CompressedConfidence
    claim_reason: str = ""


class WeighedLine(Struct, frozen=True):
    """One line with what it weighs; both sizes 0 where it made no layer, None
    where it is not known which layer it made (alignment `unresolved`) or how much
    of one that it shares (before a "squashed" line)."""

    instruction: str
    created_at: datetime | None
    layer: int | None
    compressed_bytes: int | None
    uncompressed_bytes: int | None


class WeighedImage(Struct, frozen=True):
    """One platform's image with its totals (see `domain.size.weigh_image.weigh_image`).

    compressed_bytes: the layers' judged sizes, each distinct digest once
    claimed_bytes: the same by the manifest alone
    base: what it stands on, as far as that is known
    compressed_confidence: `claimed` where one layer's is, else `disputed` where one
        layer's is, else `known`
    """

    platform: Platform
    digest: Digest
    media_type: str
    config_digest: Digest
    created_at: datetime | None
    compressed_bytes: int
    claimed_bytes: int
    compressed_confidence: CompressedConfidence
    uncompressed: Uncompressed
    layers: tuple[WeighedLayer, ...]
    lines: tuple[WeighedLine, ...]
    history_alignment: HistoryAlignment
    problems: tuple[Problem, ...] = ()
    base: ImageBase | None = None

    def on_base(self, base: BaseInWords | None) -> "WeighedImage":
        """The same, with what it stands on."""
        if base is None:
            return self
        sizes = ((layer.digest, layer.compressed_bytes) for layer in self.layers)
        return replace(self, base=base.within(sizes, self.compressed_bytes))


class Other(Struct, frozen=True):
    """A child that is no image: an attestation, a signature, a chart. Or, with the
    role `image`, one that is not pulled: another is listed for its platform."""

    digest: Digest
    media_type: str
    role: Role
    stored_bytes: int | None


class WeighingCost(Struct, frozen=True):
    """What the weighing took: requests, body bytes, seconds of wall time."""

    requests: int
    bytes_read: int
    seconds: float


class Weighing(Struct, frozen=True):
    """One reference, weighed.

    kind:     `image`, `index`, `artifact` or `unweighable`
    images:   one entry a platform asked for, headline first
    platforms: every platform that the index lists, headline first
    warnings: sentences about what is missing or odd
    is_whole: whether all was read that it leads to; else there may be other images
    """

    reference: str
    registry: str
    repository: str
    tag: str | None
    digest: Digest
    media_type: str
    kind: str
    images: tuple[WeighedImage, ...]
    platforms: tuple[Platform, ...]
    others: tuple[Other, ...]
    cost: WeighingCost | None
    warnings: tuple[str, ...] = ()
    is_whole: bool = True


def second_text(platform: Platform, pulled: Digest) -> str:
    """What is said where an index lists several images for one platform."""
    return (
        f"several images are listed for {platform}: {short(pulled)} is what containerd"
        " pulls and what is weighed, the others are only shown"
    )


def other_platform_text(platform: Platform, said: Platform, digest: Digest) -> str:
    """What is said where an index and a config name different platforms."""
    return (
        f"{short(digest)} is pulled for {platform}, as its index says; its config says"
        f" {said}"
    )


def as_json(
    weighing: Weighing, beside: Sequence[Mapping[str, object]]
) -> dict[str, object]:
    """The object that `inspect -o json` prints; bytes are integers, times RFC 3339
    in UTC, unknown is null.

    beside: further keys of each image
    """
    cost = weighing.cost
    return {
        "schema": SCHEMA,
        "reference": weighing.reference,
        "registry": weighing.registry,
        "repository": weighing.repository,
        "tag": weighing.tag,
        "digest": weighing.digest,
        "media_type": weighing.media_type,
        "kind": weighing.kind,
        "platforms": [str(p) for p in weighing.platforms],
        "images": [
            {**_image_json(image), **more}
            for image, more in zip(weighing.images, beside, strict=True)
        ],
        "others": [asdict(other) for other in weighing.others],
        "cost": cost and {**asdict(cost), "seconds": round(cost.seconds, 3)},
        "warnings": list(weighing.warnings),
    }


def _image_json(image: WeighedImage) -> dict[str, object]:
    return {
        "platform": str(image.platform),
        "digest": image.digest,
        "media_type": image.media_type,
        "config_digest": image.config_digest,
        "created_at": rfc3339(image.created_at),
        "compressed_bytes": image.compressed_bytes,
        "compressed_confidence": image.compressed_confidence,
        "claimed_bytes": image.claimed_bytes,
        **uncompressed_json(image.uncompressed),
        "layers": [
            {
                "digest": layer.digest,
                "media_type": layer.media_type,
                "compressed_bytes": layer.compressed_bytes,
                "compressed_confidence": layer.compressed_confidence,
                "claimed_bytes": layer.claimed_bytes,
                "claim_reason": layer.claim_reason or None,
                **uncompressed_json(layer.uncompressed),
                "foreign": layer.is_foreign,
            }
            for layer in image.layers
        ],
        "lines": [
            {**asdict(line), "created_at": rfc3339(line.created_at)}
            for line in image.lines
        ],
        "history_alignment": image.history_alignment,
        "problems": [asdict(problem) for problem in image.problems],
        "base": None if image.base is None else image.base.as_json(),
    }


def uncompressed_json(size: Uncompressed | None) -> dict[str, object]:
    """The five keys of an uncompressed size; None: it was not measured."""
    known = size or Uncompressed("unknown", None, None, None, "not_measured")
    return {
        "uncompressed_bytes": known.uncompressed_bytes,
        "uncompressed_confidence": known.confidence,
        "uncompressed_low_bytes": known.low_bytes,
        "uncompressed_high_bytes": known.high_bytes,
        "uncompressed_reason": known.reason or None,
    }


def rfc3339(moment: datetime | None) -> str | None:
    """`2023-01-24T00:48:44Z`; fractions of a second are left out."""
    if moment is None:
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


_NAMED: Final = 10
"""Layers that are named: a stranger's image may have thousands."""
_REASONS: Final = {
    "foreign": "it is called foreign, and the registry does not hold it",
    "no_length": "the registry gave no length",
    "not_asked": "the registry has not been asked yet",
    "not_found": "the registry does not hold it",
}


def claim_words(reason: str) -> str:
    """Why the registry's word on a blob is not known: `MeasuredBlob.claim_reason`."""
    plain = f"the registry could not be asked ({reason.replace('_', ' ')})"
    return _REASONS.get(reason, plain)


def doubts_of(images: Iterable[WeighedImage]) -> list[str]:
    """A sentence for each layer that is not as long as its manifest says, then for
    each that nobody but its manifest knows; ten of either kind by name."""
    layers = list(dict.fromkeys(y for image in images for y in image.layers))
    disputed = [y for y in layers if y.compressed_confidence == "disputed"]
    claimed = [y for y in layers if y.compressed_confidence == "claimed"]
    return [*_named(disputed), *_named(claimed)]


def _named(layers: list[WeighedLayer]) -> Iterator[str]:
    for layer in layers[:_NAMED]:
        claim = f"layer {short(layer.digest)}: the manifest says"
        claim += f" {_bytes(layer.claimed_bytes)}"
        if layer.compressed_confidence == "disputed":
            known = _bytes(layer.compressed_bytes)
            yield f"{claim}, the registry says {known}; the registry's figure is used"
        else:
            yield f"{claim}, not confirmed: {claim_words(layer.claim_reason)}"
    if more := len(layers[_NAMED:]):
        yield f"the same is true of {more:,} more of its layers"


def _bytes(count: int) -> str:
    return f"{count:,} byte{'' if count == 1 else 's'}"
