"""How to learn a blob's uncompressed size from as few of its bytes as possible.

`measuring` is a generator without I/O: it yields the range that it wants, is sent
exactly those bytes, and returns what they say. What a manifest claims of the blob only
decides which bytes are read first, never what is found (`weigh_image` applies it).

1. A blob of at most 64 KiB is read whole.
2. A larger one that is called gzip: its last 72 bytes; its head too, where those leave
   a doubt.
3. Anything larger else: its head; its last 72 bytes too, where that is gzip's.
"""

import zlib
from collections.abc import Generator
from typing import Final, TypeAlias

from msgspec import Struct

from weighbridge.domain import limits
from weighbridge.domain.image.document import Layer
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
