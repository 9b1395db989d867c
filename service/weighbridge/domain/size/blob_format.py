"""What a blob's bytes are, and what they say of its uncompressed size.

What the media type claims, and what the bytes look like. Gzip (RFC 1952): a member ends
with CRC32 and ISIZE, its length modulo 2^32. Everything that writes layers in one go
(Go's compress/gzip, pgzip, pigz) makes one member, so ISIZE is the layer's length; what
makes layers seekable (eStargz, bgzip) makes many, and ends with an empty one. Two
members set end to end with nothing behind them look like one from here, which is why
the best that this can say is `trailer`, never `exact`.

Zstd (RFC 8878): a frame's header may state its content's length, and blocks state how
long they are in the blob, so that a whole small blob can be walked, without
decompressing, to see whether there is only one frame. Of a large blob only the first
header is seen; other frames may follow (zstd:chunked has one a file), so its word is an
estimate.
"""

import zlib
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.size.confidence import Seen, Uncompressed

Format: TypeAlias = Literal["gzip", "zstd", "tar", "encrypted", ""]
"""What a media type claims; `""`: nothing that we know."""

HEAD_BYTES: Final = 512
"""Enough of a blob's beginning for every magic: one tar block."""

# RFC 1951: a length code of one bit and a distance code of one bit copy 258 bytes,
# so eight bits of input never give more than 1,032 bytes. Stored and dynamic blocks,
# headers and further members only lower that.
GZIP_MOST_RATIO: Final = 1_032

# RFC 8878 3.1.1.2: a block is at least four bytes, and never gives more than 128 KiB.
ZSTD_MOST_RATIO: Final = 32_768


def claimed_format(media_type: str) -> Format:
    """What the media type says (image-spec, layer.md; Docker's schema 2)."""
    if media_type.endswith("+encrypted"):
        return "encrypted"
    for name in ("gzip", "zstd", "tar"):
        if media_type.endswith((f"+{name}", f".{name}", f"/{name}", f"/x-{name}")):
            return name
    return ""


def seen_format(head: bytes) -> Seen:
    """What a blob's first bytes are: at least HEAD_BYTES of them, or all."""
    if head.startswith(_MAGIC):
        return "gzip"
    if head.startswith(_ZSTD_MAGIC) or (
        head[1:4] == _ZSTD_SKIPPABLE and 0x50 <= head[0] <= 0x5F
    ):
        return "zstd"
    if head[257:262] == b"ustar" or is_empty_tar(head):
        return "tar"
    return "other"


def is_empty_tar(head: bytes) -> bool:
    """Whether the first block is the zeros that end a tar: nothing is in it."""
    block = head[:_TAR_BLOCK_BYTES]
    return len(block) == _TAR_BLOCK_BYTES and not any(block)


def most_uncompressed_bytes(media_type: str, compressed_bytes: int) -> int:
    """What a blob of this type can at most have in it, whoever wrote it."""
    gzip = claimed_format(media_type) == "gzip"
    return compressed_bytes * (GZIP_MOST_RATIO if gzip else ZSTD_MOST_RATIO)


HEADER_BYTES: Final = 18
"""Magic and the longest frame header (RFC 8878 3.1.1.1)."""

_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE: Final = b"\x2a\x4d\x18"
_BLOCK_MOST_BYTES: Final = 128 * 1024
_CHECKSUM_BYTES: Final = 4
_RAW, _RUN, _COMPRESSED = 0, 1, 2


class _Header(Struct, frozen=True):
    """length: of magic and header; content_bytes: None where it is not stated."""

    length: int
    content_bytes: int | None
    window_bytes: int
    has_checksum: bool


class _Frame(Struct, frozen=True):
    """One frame that was walked; low and high bound what its blocks hold."""

    end: int
    content_bytes: int | None
    low_bytes: int
    high_bytes: int


def judge_head(head: bytes, compressed_bytes: int) -> Uncompressed:
    """The size by the first 18 bytes of a large blob.

    estimate: `unseen_frames`, the first frame could be all there is
    unknown:  `zstd_without_size`, or `multi_frame` where it cannot be all
    """
    most = ZSTD_MOST_RATIO * compressed_bytes
    header = _parse_header(head)
    if header is None or header.content_bytes is None:
        return Uncompressed("unknown", None, 0, most, "zstd_without_size")
    stated = header.content_bytes
    if stated > most:
        return Uncompressed("unknown", None, 0, most, "implausible_zstd_size")
    # A layer is a tar, and no frame grows by a half.
    if stated % _TAR_BLOCK_BYTES or stated < compressed_bytes * 2 // 3:
        return Uncompressed("unknown", None, stated, most, "multi_frame")
    return Uncompressed("estimate", stated, stated, most, "unseen_frames")


def weigh_zstd(blob: bytes) -> Uncompressed:
    """The size by all frames of a whole blob.

    exact:    the header of the only frame states it, and its blocks can hold it
    estimate: `multi_frame`, every frame states its own
    unknown:  `zstd_without_size`, `corrupt_zstd`
    """
    frames = _walk(blob)
    if not frames:
        most = ZSTD_MOST_RATIO * len(blob)
        return Uncompressed("unknown", None, 0, most, "corrupt_zstd")
    low = sum(frame.low_bytes for frame in frames)
    high = sum(frame.high_bytes for frame in frames)
    stated = [f.content_bytes for f in frames if f.content_bytes is not None]
    if len(stated) < len(frames):
        return Uncompressed("unknown", None, low, high, "zstd_without_size")
    if len(frames) == 1:
        return Uncompressed("exact", low, low, high)
    return Uncompressed("estimate", low, low, high, "multi_frame")


def _walk(blob: bytes) -> list[_Frame]:
    """Every frame that holds content; none where the blob is no row of frames."""
    frames = []
    at = 0
    while at < len(blob):
        if blob[at + 1 : at + 4] == _ZSTD_SKIPPABLE and 0x50 <= blob[at] <= 0x5F:
            if at + 8 > len(blob):
                return []
            at += 8 + int.from_bytes(blob[at + 4 : at + 8], "little")
            continue
        frame = _walk_frame(blob, at)
        if frame is None:
            return []
        frames.append(frame)
        at = frame.end
    return frames if at == len(blob) else []


def _walk_frame(blob: bytes, start: int) -> _Frame | None:
    header = _parse_header(blob[start : start + HEADER_BYTES])
    if header is None:
        return None
    block_most = min(header.window_bytes, _BLOCK_MOST_BYTES)
    at = start + header.length
    low = high = 0
    is_last = False
    while not is_last:
        word = int.from_bytes(blob[at : at + 3], "little")
        is_last, kind, length = bool(word & 1), word >> 1 & 3, word >> 3
        if at + 3 > len(blob) or kind > _COMPRESSED or length > block_most:
            return None
        at += 3 + (1 if kind == _RUN else length)
        low += 0 if kind == _COMPRESSED else length
        high += block_most if kind == _COMPRESSED else length
    at += _CHECKSUM_BYTES if header.has_checksum else 0
    stated = header.content_bytes
    if at > len(blob) or (stated is not None and not low <= stated <= high):
        return None
    if stated is not None:
        low = high = stated
    return _Frame(at, stated, low, high)


def _parse_header(head: bytes) -> _Header | None:
    """RFC 8878 3.1.1.1; None for what is no frame, or cut off."""
    if len(head) < 6 or not head.startswith(_ZSTD_MAGIC):
        return None
    descriptor = head[4]
    is_single_segment = bool(descriptor & 0x20)
    at = 5
    window = 0
    if not is_single_segment:
        exponent, mantissa = head[5] >> 3, head[5] & 7
        window = (1 << (10 + exponent)) * (8 + mantissa) // 8
        at += 1
    at += (0, 1, 2, 4)[descriptor & 3]
    size_bytes = (1 if is_single_segment else 0, 2, 4, 8)[descriptor >> 6]
    if at + size_bytes > len(head):
        return None
    content: int | None = None
    if size_bytes:
        content = int.from_bytes(head[at : at + size_bytes], "little")
        content += 256 if size_bytes == 2 else 0
    if is_single_segment and content is not None:
        window = content
    return _Header(at + size_bytes, content, window, bool(descriptor & 4))


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
