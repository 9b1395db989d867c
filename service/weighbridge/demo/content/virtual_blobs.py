"""Blobs that are as large as they say without holding their bytes.

A registry client that weighs reads a blob's first and last bytes, so only those
are real: a gzip header and trailer, a zstd frame header, a tar header. Blobs of
at most 64 KiB are read whole by clients, so these are real to the last byte.
"""

import hashlib
import struct
import tarfile
import zlib
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from weighbridge.demo.content.deflate import gzip_bytes
from weighbridge.domain.image.digest import Digest, digest_of
from weighbridge.domain.limits import SMALL_BLOB_BYTES

Packing: TypeAlias = Literal["gzip", "zstd", "tar", "json"]
"""How a blob's content is packed; `json` is an in-toto statement, not a layer."""

_BLOCK: Final = 512
_END_OF_TAR: Final = bytes(2 * _BLOCK)
_GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
# RFC 8878 3.1.1: magic; a checksum follows, no content size; a window of 8 MiB.
_ZSTD_HEADER: Final = b"\x28\xb5\x2f\xfd\x04\x68"


class Blob(Struct, frozen=True):
    """`head`, then `filler` over and over, then `tail`: content_bytes in all.

    uncompressed_bytes: the tar's length, for figures and tests; 0 for documents
    diff_id:            digest of the tar; for a virtual blob one of the right form
    """

    digest: Digest
    content_bytes: int
    head: bytes
    filler: bytes = b""
    tail: bytes = b""
    uncompressed_bytes: int = 0
    diff_id: str = ""

    def read(self, first: int, last: int) -> bytes:
        """Bytes first..last, both included; no further than the blob's end."""
        end = min(last + 1, self.content_bytes)
        filled_from, filled_to = len(self.head), self.content_bytes - len(self.tail)
        parts = [self.head[first:end]]
        low, high = max(first, filled_from), min(end, filled_to)
        if low < high:
            skipped = low % len(self.filler)
            copies = (skipped + high - low) // len(self.filler) + 1
            parts.append((self.filler * copies)[skipped : skipped + high - low])
        if end > filled_to:
            parts.append(self.tail[max(first - filled_to, 0) : end - filled_to])
        return b"".join(parts)


def whole_blob(content: bytes) -> Blob:
    """A blob that is what its digest says: a config, a chart's values."""
    return Blob(digest_of(content), len(content), content)


def make_blob(
    name: str, packing: Packing, content_bytes: int, uncompressed_bytes: int = 0
) -> Blob:
    """A blob of this name and about these figures, the same in every process.

    A gzip of at most 64 KiB is real and needs about 85 bytes at least; everything
    else has exactly `content_bytes`, rounded up to blocks where it is a plain tar.
    `uncompressed_bytes` is rounded up to whole tar blocks.
    """
    if packing == "gzip" and content_bytes <= SMALL_BLOB_BYTES:
        return _small_gzip(name, content_bytes)
    if packing == "tar":
        return _virtual_tar(name, content_bytes)
    if packing == "json":
        return _virtual_json(name, content_bytes)
    return virtual_blob(
        digest_of(f"{packing} {name} {content_bytes}".encode()),
        packing,
        content_bytes,
        uncompressed_bytes,
    )


def virtual_blob(
    digest: Digest, packing: Packing, content_bytes: int, uncompressed_bytes: int
) -> Blob:
    """A large gzip or zstd blob under a digest that is given, not computed."""
    rounded = -(-uncompressed_bytes // _BLOCK) * _BLOCK
    zstd = packing == "zstd"
    crc = zlib.crc32(digest.encode())
    return Blob(
        digest,
        content_bytes,
        head=_ZSTD_HEADER if zstd else _GZIP_HEADER,
        filler=_filler(digest),
        tail=b"" if zstd else struct.pack("<II", crc, rounded & 0xFFFFFFFF),
        uncompressed_bytes=rounded,
        diff_id=_diff_id(digest),
    )


def _filler(digest: Digest) -> bytes:
    """32 bytes with the high bit set: no magic number, no footer looks like it."""
    return bytes(byte | 0x80 for byte in hashlib.sha256(digest.encode()).digest())


def _diff_id(digest: Digest) -> str:
    return digest_of(f"tar of {digest}".encode())


def _tar_header(name: str, file_bytes: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = file_bytes
    return entry.tobuf(tarfile.USTAR_FORMAT)


def _tar(name: str, file_bytes: int) -> bytes:
    """A tar of one file, its content letters that do not shrink."""
    letters = b"".join(
        hashlib.sha256(f"{name} {n}".encode()).hexdigest().encode()
        for n in range(file_bytes // 64 + 1)
    )[:file_bytes]
    padding = bytes(-file_bytes % _BLOCK)
    return _tar_header(name, file_bytes) + letters + padding + _END_OF_TAR


def _small_gzip(name: str, content_bytes: int) -> Blob:
    """A real gzip of a real tar, as near to `content_bytes` as a few tries bring."""
    member = hashlib.sha256(name.encode()).hexdigest()[:12]
    file_bytes = max(content_bytes - 160, 0)
    for _ in range(8):
        tar = _tar(member, file_bytes)
        packed = gzip_bytes(tar)
        missing = content_bytes - len(packed)
        if missing == 0 or file_bytes + missing < 0:
            break
        file_bytes += missing
    return Blob(
        digest_of(packed),
        len(packed),
        packed,
        uncompressed_bytes=len(tar),
        diff_id=digest_of(tar),
    )


def _virtual_tar(name: str, content_bytes: int) -> Blob:
    rounded = -(-content_bytes // _BLOCK) * _BLOCK
    digest = digest_of(f"tar {name} {rounded}".encode())
    file_bytes = rounded - 3 * _BLOCK
    return Blob(
        digest,
        rounded,
        head=_tar_header("data.bin", file_bytes),
        filler=_filler(digest),
        tail=_END_OF_TAR,
        uncompressed_bytes=rounded,
        # A layer that is not compressed is its own diff.
        diff_id=digest,
    )


def _virtual_json(name: str, content_bytes: int) -> Blob:
    """An in-toto statement (image-spec calls such blobs layers too), blanks inside."""
    head = b'{"_type":"https://in-toto.io/Statement/v0.1","predicate":{"n":"'
    tail = b'"}}'
    if content_bytes <= SMALL_BLOB_BYTES:
        letters = _tar(name, content_bytes - len(head) - len(tail))[_BLOCK:]
        inside = letters[: content_bytes - len(head) - len(tail)]
        return _statement(head + inside + tail)
    digest = digest_of(f"json {name} {content_bytes}".encode())
    return Blob(
        digest, content_bytes, head, b" " * 32, tail, content_bytes, _diff_id(digest)
    )


def _statement(content: bytes) -> Blob:
    digest = digest_of(content)
    return Blob(digest, len(content), content, b"", b"", len(content), digest)
