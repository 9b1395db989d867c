"""What the frames of a zstd blob say of its uncompressed size (RFC 8878).

Nothing is decompressed: a frame's header may state its content's length, and blocks
state how long they are in the blob, so that a whole small blob can be walked to see
whether there is only one frame. Of a large blob only the first header is seen; other
frames may follow (zstd:chunked has one a file), so its word is an estimate.
"""

from typing import Final

from msgspec import Struct

from weighbridge.domain.size.confidence import Uncompressed
from weighbridge.domain.size.layer_format import ZSTD_MOST_RATIO

HEADER_BYTES: Final = 18
"""Magic and the longest frame header (RFC 8878 3.1.1.1)."""

_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_SKIPPABLE: Final = b"\x2a\x4d\x18"
_BLOCK_MOST_BYTES: Final = 128 * 1024
_CHECKSUM_BYTES: Final = 4
_TAR_BLOCK_BYTES: Final = 512
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
        if blob[at + 1 : at + 4] == _SKIPPABLE and 0x50 <= blob[at] <= 0x5F:
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
    if len(head) < 6 or not head.startswith(_MAGIC):
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
