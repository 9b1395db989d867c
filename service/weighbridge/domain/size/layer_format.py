"""What a layer's bytes are: what its media type claims, and what they look like."""

from typing import Final, Literal, TypeAlias

from weighbridge.domain.size.confidence import Seen

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

_GZIP: Final = b"\x1f\x8b\x08"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE: Final = b"\x2a\x4d\x18"
_TAR_BLOCK_BYTES: Final = 512


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
    if head.startswith(_GZIP):
        return "gzip"
    if head.startswith(_ZSTD) or (
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
