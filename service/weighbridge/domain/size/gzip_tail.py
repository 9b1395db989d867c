"""What a gzip blob's last 72 bytes say of its uncompressed size (RFC 1952).

A member ends with CRC32 and ISIZE, its length modulo 2^32. Everything that writes
layers in one go (Go's compress/gzip, pgzip, pigz) makes one member, so ISIZE is the
layer's length; what makes layers seekable (eStargz, bgzip) makes many, and ends with
an empty one. Two members set end to end with nothing behind them look like one from
here, which is why the best that this can say is `trailer`, never `exact`.
"""

import zlib
from typing import Final

from weighbridge.domain.size.confidence import Uncompressed
from weighbridge.domain.size.layer_format import GZIP_MOST_RATIO

TAIL_BYTES: Final = 72
"""The longest footer that is known (eStargz: 51 bytes) with room to spare."""

_MAGIC: Final = b"\x1f\x8b\x08"
_TRAILER_BYTES: Final = 8
_WRAP: Final = 2**32
_TAR_BLOCK_BYTES: Final = 512
_SMALLEST_TAR_BYTES: Final = 1_024

# Real layers lie between 1.0 and 4.4; above 8 it is as likely that 4 GiB more are
# hidden in the wrap as that a layer is so compressible.
_USUAL_MOST_RATIO: Final = 8

# The median of layers whose two sizes were measured.
_TYPICAL_RATIO: Final = 2.4

# The bodies of empty members: a stored block, a fixed block.
_EMPTY_BODIES: Final = (b"\x01\x00\x00\xff\xff", b"\x03\x00")


def judge_tail(tail: bytes, compressed_bytes: int) -> Uncompressed:
    """The size by a blob's last 72 bytes (or all of them, if it is shorter).

    trailer:    the only candidate that passes every check
    estimate:   `ambiguous_isize`, the trailer may have wrapped
    unknown:    `multi_member`, `implausible_isize`

    Bounds hold for every gzip stream whose own trailer is true.
    """
    most = GZIP_MOST_RATIO * compressed_bytes
    if ends_with_small_member(tail, compressed_bytes):
        return Uncompressed("unknown", None, 0, most, "multi_member")
    isize = int.from_bytes(tail[-4:], "little")
    least = _least_bytes(compressed_bytes)
    # `umoci insert` neither fills up the last block nor closes the tar, so that what
    # its trailer says is true and refused: from here it is no different from the last
    # of several members, whose length may be any, and a size must not be wrong.
    is_tar_length = isize >= _SMALLEST_TAR_BYTES and isize % _TAR_BLOCK_BYTES == 0
    if not is_tar_length or isize > most or (isize < least and most < _WRAP):
        return Uncompressed("unknown", None, 0, most, "implausible_isize")
    if most < _WRAP:
        return _trailer(isize)
    return _judge_wrapped(isize, least, compressed_bytes)


def _judge_wrapped(isize: int, least: int, compressed_bytes: int) -> Uncompressed:
    """For blobs that may hold 4 GiB or more: which ISIZE + k x 2^32 it can be."""
    most = GZIP_MOST_RATIO * compressed_bytes
    usual = [
        isize + wraps * _WRAP
        for wraps in range(_USUAL_MOST_RATIO * compressed_bytes // _WRAP + 1)
        if least <= isize + wraps * _WRAP <= _USUAL_MOST_RATIO * compressed_bytes
    ]
    if len(usual) == 1:
        return _trailer(usual[0])
    if not usual and isize < least:
        # Either it is 4 GiB and rarely compressible, or there are several members
        # of which this is the last and smallest. No number is likelier than another.
        return Uncompressed("unknown", None, 0, most, "implausible_isize")
    typical = _TYPICAL_RATIO * compressed_bytes
    likeliest = min(usual or [isize], key=lambda bytes_: abs(bytes_ - typical))
    # Members may be many here too, but not all so small that they grew to twice
    # their length by being compressed.
    low = max(isize, compressed_bytes // 2)
    return Uncompressed("estimate", likeliest, low, most, "ambiguous_isize")


def _trailer(uncompressed_bytes: int) -> Uncompressed:
    return Uncompressed(
        "trailer", uncompressed_bytes, uncompressed_bytes, uncompressed_bytes
    )


def _least_bytes(compressed_bytes: int) -> int:
    """What a single member has at least: random data grows by 0.03 %."""
    return max(compressed_bytes * 999 // 1000 - 64, 0)


def fits_trailer(annotated_bytes: int, estimate_bytes: int) -> bool:
    """Whether what a builder wrote agrees with a trailer that may have wrapped, or is
    no less than what was made of it (`ambiguous_isize`)."""
    differs = (annotated_bytes - estimate_bytes) % _WRAP
    return annotated_bytes >= estimate_bytes or differs == 0


def annotated(
    size: Uncompressed, annotated_bytes: int | None, compressed_bytes: int
) -> Uncompressed:
    """`size`, or what a builder wrote if that is possible at all.

    The bounds stay: an annotation is a claim of whoever pushed.
    """
    if annotated_bytes is None or size.high_bytes is None:
        return size
    lowest = max(size.low_bytes or 0, compressed_bytes // 2)
    if not lowest <= annotated_bytes <= size.high_bytes:
        return size
    return Uncompressed(
        "annotation", annotated_bytes, size.low_bytes, size.high_bytes, size.reason
    )


def ends_with_small_member(tail: bytes, blob_bytes: int) -> bool:
    """Whether a whole gzip member lies within the tail, behind something else.

    True for every footer that is known: eStargz (51 bytes), legacy stargz (47),
    eStargz with an external table of contents (46), the end of bgzip (28), and for
    any other member too small to be a layer.
    """
    before = blob_bytes - len(tail)
    at = tail.find(_MAGIC)
    while at >= 0:
        if before + at > 0 and _is_member(tail[at:]):
            return True
        at = tail.find(_MAGIC, at + 1)
    # An empty member with a long name or extra field begins before the tail.
    body, trailer = tail[:-_TRAILER_BYTES], tail[-_TRAILER_BYTES:]
    return not any(trailer) and body.endswith(_EMPTY_BODIES)


def _is_member(content: bytes) -> bool:
    decoder = zlib.decompressobj(wbits=31)
    try:
        decoder.decompress(content)
    except zlib.error:
        return False
    return decoder.eof and not decoder.unused_data
