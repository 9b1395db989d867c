"""Codes and confidences in words."""

from typing import Final

from msgspec.structs import replace

from weighbridge.domain.size.confidence import (
    CompressedConfidence,
    Confidence,
    Uncompressed,
)
from weighbridge.domain.text.units import format_bytes
from weighbridge.presentation.rows.report_rows import StandIn
from weighbridge.web.views.numbers import Amount, plural

CONFIDENCE: Final[dict[Confidence, str]] = {
    "exact": "exact, read and counted",
    "trailer": "trailer, every layer's own record",
    "annotation": "annotation, as the builder wrote it",
    "estimate": "estimate",
    "unknown": "unknown",
}
_REASON: Final = {
    "not_measured": "its layers are not measured yet",
    "multi_member": "a layer is made of several gzip members",
    "implausible_isize": "what a layer's gzip trailer says cannot be true",
    "ambiguous_isize": "a layer is so large that its gzip trailer is ambiguous",
    "zstd_without_size": "a layer is a zstd frame that does not state its size",
    "format_mismatch": "a layer is not in the format that it is declared in",
    "range_unsupported": "the registry does not serve parts of a blob",
    "bad_content_range": "the registry answers another part than asked for",
    "registry_error": "the registry did not serve the end of a layer",
    "encrypted": "a layer is encrypted",
    "foreign": "a layer is not stored in this registry",
}


STAND_IN: Final[dict[StandIn, str]] = {
    "unknown": "line not known",
    "squashed": "several lines, squashed",
}
"""What stands in the place of a heaviest line in a table."""


_DISPUTED: Final = "\N{NOT EQUAL TO}"
_CLAIMED: Final = "?"


def marked(
    size: Amount, confidence: CompressedConfidence | None, claimed_bytes: int | None
) -> Amount:
    """Compressed bytes as they stand in a table: with a mark where the manifest says
    otherwise, or where nobody but the manifest says it."""
    if size.number is None or claimed_bytes is None:
        return size
    if confidence == "disputed":
        title = (
            f"Disputed: the registry says {plural(size.number, 'byte')}, the manifest"
            f" {plural(claimed_bytes, 'byte')}. The registry's figure is used"
        )
        return replace(size, mark=_DISPUTED, mark_title=title)
    if confidence == "claimed":
        title = (
            f"Claimed: the manifest says {plural(claimed_bytes, 'byte')}, which the"
            " registry has not confirmed"
        )
        return replace(size, mark=_CLAIMED, mark_title=title)
    return size


def reason(code: str) -> str:
    """A reason code as a clause; a code without words is shown as it is."""
    return _REASON.get(code, code.replace("_", " "))


def amount(size: Uncompressed | None) -> Amount:
    """An uncompressed size as it stands in a table."""
    if size is None:
        return Amount(None, word="not yet", reason="This layer is not measured yet")
    if size.uncompressed_bytes is None:
        return Amount(None, reason=f"Unknown: {reason(size.reason or 'not_measured')}")
    if size.confidence == "estimate":
        return Amount(size.uncompressed_bytes, True, reason=_estimate(size))
    if size.confidence == "annotation":
        return Amount(size.uncompressed_bytes, reason=CONFIDENCE["annotation"])
    return Amount(size.uncompressed_bytes)


def amount_of_row(number: int | None, confidence: Confidence | None) -> Amount:
    """The same for a row of the read model, which keeps no bounds."""
    if number is None:
        is_known = confidence == "unknown"
        return Amount(
            None,
            word="unknown" if is_known else "not yet",
            reason="A layer does not state it" if is_known else "Not measured yet",
        )
    is_estimate = confidence == "estimate"
    return Amount(number, is_estimate, reason="an estimate" if is_estimate else "")


def confidence_sentence(size: Uncompressed, compressed_bytes: int) -> str:
    """What stands under the big number: how it is known, and the ratio."""
    words = CONFIDENCE[size.confidence]
    if size.uncompressed_bytes is None:
        return reason(size.reason or "not_measured")
    if size.confidence == "estimate":
        words = _estimate(size)
    if not compressed_bytes:
        return words
    return f"{words}, ratio {size.uncompressed_bytes / compressed_bytes:.2f}"


def _estimate(size: Uncompressed) -> str:
    words = "estimate"
    if size.low_bytes is not None and size.high_bytes is not None:
        words += f", {format_bytes(size.low_bytes)} to {format_bytes(size.high_bytes)}"
    return f"{words}: {reason(size.reason)}" if size.reason else words
