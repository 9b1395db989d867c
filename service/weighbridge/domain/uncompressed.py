"""How to learn a layer's uncompressed size from as few of its bytes as possible.

`measuring` is a generator without I/O: it yields the range that it wants, is sent
exactly those bytes, and returns what they say.

1. A blob of at most 64 KiB is read whole.
2. A larger gzip blob: its last 72 bytes; its head too, where those leave a doubt.
3. Anything larger else: its head.
"""

from collections.abc import Generator
from typing import Final, TypeAlias

from weighbridge.domain import limits
from weighbridge.domain.document import Layer
from weighbridge.domain.gzip_blob import weigh_gzip
from weighbridge.domain.gzip_tail import TAIL_BYTES, annotated, judge_tail
from weighbridge.domain.layer_format import (
    HEAD_BYTES,
    Format,
    claimed_format,
    most_uncompressed_bytes,
    seen_format,
)
from weighbridge.domain.measure import RangeWanted, Uncompressed
from weighbridge.domain.zstd_frame import judge_head, weigh_zstd

Measuring: TypeAlias = Generator[RangeWanted, bytes, Uncompressed]
_Reading: TypeAlias = Generator[RangeWanted, bytes, bytes]

# After these the head has nothing to add: the trailer was right, or a whole gzip
# member was seen at the end.
_SETTLED_BY_TAIL: Final = ("trailer", "annotation")


def measuring(layer: Layer) -> Measuring:
    """Asks for ranges of the layer's blob and returns its uncompressed size.

    Every answer must be exactly the bytes that were asked for; a shorter or longer
    one ends the measuring with `bad_content_range`.
    """
    if layer.is_foreign:
        return unmeasured(layer, "foreign")
    if layer.compressed_bytes == 0:
        return Uncompressed("unknown", None, 0, 0, "empty_blob")
    claimed = claimed_format(layer.media_type)
    if claimed == "encrypted":
        return unmeasured(layer, "encrypted")
    try:
        if layer.compressed_bytes <= limits.SMALL_BLOB_BYTES:
            blob = yield from _read(layer, 0, layer.compressed_bytes)
            seen = seen_format(blob[:HEAD_BYTES])
            size = _by_whole_blob(layer, seen, blob)
        else:
            seen, size = yield from _by_ranges(layer, claimed)
    except _WrongLength:
        return unmeasured(layer, "bad_content_range")
    return _unless_mislabelled(claimed, seen, size)


def unmeasured(layer: Layer, reason: str) -> Uncompressed:
    """Unknown, with the bounds that the compressed size alone gives."""
    most = most_uncompressed_bytes(layer.media_type, layer.compressed_bytes)
    return Uncompressed("unknown", None, 0, most, reason)


def _by_whole_blob(layer: Layer, seen: Format, blob: bytes) -> Uncompressed:
    if seen == "gzip":
        return weigh_gzip(blob)
    if seen == "zstd":
        return _or_annotation(layer, weigh_zstd(blob))
    return _by_plain_bytes(layer, seen)


def _by_ranges(
    layer: Layer, claimed: Format
) -> Generator[RangeWanted, bytes, tuple[Format, Uncompressed]]:
    by_tail: Uncompressed | None = None
    if claimed == "gzip":
        by_tail = yield from _by_tail(layer)
        if by_tail.confidence in _SETTLED_BY_TAIL or by_tail.reason == "multi_member":
            return "gzip", by_tail
    head = yield from _read(layer, 0, HEAD_BYTES)
    seen = seen_format(head)
    if seen == "gzip":
        if by_tail is None:
            by_tail = yield from _by_tail(layer)
        return seen, by_tail
    if seen == "zstd":
        return seen, _or_annotation(layer, judge_head(head, layer.compressed_bytes))
    return seen, _by_plain_bytes(layer, seen)


def _by_tail(layer: Layer) -> Measuring:
    total = layer.compressed_bytes
    tail = yield from _read(layer, total - TAIL_BYTES, TAIL_BYTES)
    return judge_tail(tail, total, layer.annotated_uncompressed_bytes)


def _by_plain_bytes(layer: Layer, seen: Format) -> Uncompressed:
    if seen != "tar":
        return unmeasured(layer, "format_mismatch")
    size = layer.compressed_bytes
    return Uncompressed("exact", size, size, size)


def _or_annotation(layer: Layer, size: Uncompressed) -> Uncompressed:
    if size.confidence == "exact":
        return size
    wrote = layer.annotated_uncompressed_bytes
    return annotated(size, wrote, layer.compressed_bytes)


def _unless_mislabelled(
    claimed: Format, seen: Format, size: Uncompressed
) -> Uncompressed:
    """Bytes that are not what their media type claims give bounds, but no size.

    Some clients believe the type and fail, others look and unpack; what such a
    layer weighs depends on who pulls it.
    """
    if not claimed or claimed == seen:
        return size
    return Uncompressed(
        "unknown", None, size.low_bytes, size.high_bytes, "format_mismatch"
    )


class _WrongLength(Exception):
    """An answer that is not the range that was asked for."""


def _read(layer: Layer, first: int, length: int) -> _Reading:
    last = first + length - 1
    answer = yield RangeWanted(first, last, layer.compressed_bytes)
    if len(answer) != length:
        raise _WrongLength
    return answer
