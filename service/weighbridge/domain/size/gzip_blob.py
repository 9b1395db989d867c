"""A whole small gzip blob, decompressed under a cap: the one way to be exact.

The cap is one of bytes, and a blob's own: what a blob is found to weigh depends on
nothing but its bytes, neither on other layers nor on time.
"""

import zlib
from typing import Final

from msgspec import Struct

from weighbridge.domain import limits
from weighbridge.domain.size.confidence import Uncompressed
from weighbridge.domain.size.gzip_tail import TAIL_BYTES, judge_tail
from weighbridge.domain.size.layer_format import GZIP_MOST_RATIO

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
