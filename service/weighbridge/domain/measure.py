"""How many bytes a blob's tar has after decompression, and how sure that is."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Confidence: TypeAlias = Literal["exact", "trailer", "annotation", "estimate", "unknown"]

CONFIDENCES: Final[tuple[Confidence, ...]] = (
    "exact",
    "trailer",
    "annotation",
    "estimate",
    "unknown",
)
"""Strongest first."""


@dataclass(frozen=True, slots=True)
class Uncompressed:
    """One blob's uncompressed size.

    uncompressed_bytes: None exactly where confidence is `unknown`
    low_bytes, high_bytes: bounds that contain the truth; equal to the value for
        `exact` and `trailer`; None where nothing can be said
    reason: a code that says why it is no better, "" for `exact` and `trailer`:
        multi_member, implausible_isize, zstd_without_size, format_mismatch,
        range_unsupported, bad_content_range, registry_error, ambiguous_isize, ...
    """

    confidence: Confidence
    uncompressed_bytes: int | None
    low_bytes: int | None
    high_bytes: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RangeWanted:
    """Ask for bytes first..last (inclusive) of a blob of `total_bytes`."""

    first: int
    last: int
    total_bytes: int
