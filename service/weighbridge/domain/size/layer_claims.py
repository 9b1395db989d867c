"""What a manifest claims of a layer, applied to what the layer's own bytes show.

A claim counts for the manifest that makes it, and for no other: the media type, whether
it is foreign, and an annotation with the uncompressed size.
"""

from typing import Final

from weighbridge.domain import limits
from weighbridge.domain.image.document import Layer
from weighbridge.domain.size.confidence import MeasuredBlob, Seen, Uncompressed
from weighbridge.domain.size.gzip_tail import annotated, fits_trailer
from weighbridge.domain.size.layer_format import claimed_format, most_uncompressed_bytes

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
