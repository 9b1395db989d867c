"""How many bytes a blob's tar has after decompression, and how sure that is."""

from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from msgspec import Struct

Confidence: TypeAlias = Literal["exact", "trailer", "annotation", "estimate", "unknown"]

CONFIDENCES: Final[tuple[Confidence, ...]] = get_args(Confidence)
"""Strongest first."""


class Uncompressed(Struct, frozen=True):
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


CompressedConfidence: TypeAlias = Literal["known", "disputed", "claimed"]
"""Whose word a layer's compressed bytes are. `known`: the registry's, and the manifest
says the same; `disputed`: the registry's, and the manifest says otherwise; `claimed`:
the manifest's alone, which anybody who may push can write."""

COMPRESSED_CONFIDENCES: Final[tuple[CompressedConfidence, ...]] = get_args(
    CompressedConfidence
)
"""Strongest first."""


Seen: TypeAlias = Literal["gzip_end", "gzip", "zstd", "tar", "other"]
"""What a blob's bytes are. `gzip_end`: the end alone was read, and fits gzip; `other`:
nothing that we know."""

SEEN: Final[tuple[Seen, ...]] = get_args(Seen)


class BlobContent(NamedTuple):
    """What a blob's own bytes show, whatever a manifest says of it.

    seen: None where no bytes of it were read
    """

    seen: Seen | None
    size: Uncompressed


class MeasuredBlob(Struct, frozen=True):
    """What a registry answered about one blob, and what the blob's own bytes show: no
    claim of any manifest is in it (`weigh_image` applies those).

    registry_bytes: the blob's length by the registry's word (total of Content-Range,
        Content-Length of HEAD); None: it gave none, so that the manifest's claim stays
        a claim
    claim_reason: why there is no word, "" where there is one: `not_found`, `no_length`,
        `not_asked`, or the code of the error
    seen: as of `BlobContent`
    """

    registry_bytes: int | None
    uncompressed: Uncompressed
    claim_reason: str = ""
    seen: Seen | None = None


class RangeWanted(Struct, frozen=True):
    """Ask for bytes first..last (inclusive) of a blob of `total_bytes`."""

    first: int
    last: int
    total_bytes: int
