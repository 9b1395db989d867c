"""Blobs that are as large as they say without holding their bytes.

A registry client that weighs reads a blob's first and last bytes, so only those
are real: a gzip header and trailer, a zstd frame header, a tar header. Blobs of
at most 64 KiB are read whole by clients, so these are real to the last byte.

Their gzip is written here, as zlib's own output differs between its versions and forks
(zlib-ng), and with it the digests of everything that it packed. Runs are all that a
small tar needs.
"""

import hashlib
import re
import struct
import tarfile
import zlib
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.image.digest import Digest, digest_of
from weighbridge.domain.limits import SMALL_BLOB_BYTES

_LONGEST_RUN: Final = 258
_SHORTEST_RUN: Final = 3
_END_OF_BLOCK: Final = 256
_RUN: Final = re.compile(rb"(.)\1*", re.DOTALL)
# RFC 1952 2.3: deflate, no flags, no time, written on an unknown system.
_GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


Packing: TypeAlias = Literal["gzip", "zstd", "tar", "json"]
"""How a blob's content is packed; `json` is an in-toto statement, not a layer."""

_BLOCK: Final = 512
_END_OF_TAR: Final = bytes(2 * _BLOCK)
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
        content = head + inside + tail
        digest = digest_of(content)
        return Blob(digest, len(content), content, b"", b"", len(content), digest)
    digest = digest_of(f"json {name} {content_bytes}".encode())
    return Blob(
        digest, content_bytes, head, b" " * 32, tail, content_bytes, _diff_id(digest)
    )


def gzip_bytes(content: bytes) -> bytes:
    """One gzip member that holds `content`: runs shortened, the rest as it is."""
    trailer = struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)
    return _GZIP_HEADER + _deflated(content) + trailer


class _Bits:
    """A deflate bit stream: values low bit first, Huffman codes high bit first."""

    def __init__(self) -> None:
        self._done = bytearray()
        self._pending = 0
        self._count = 0

    def value(self, number: int, width: int) -> None:
        self._pending |= number << self._count
        self._count += width
        while self._count >= 8:
            self._done.append(self._pending & 0xFF)
            self._pending >>= 8
            self._count -= 8

    def code(self, number: int, width: int) -> None:
        self.value(int(f"{number:0{width}b}"[::-1], 2), width)

    def symbol(self, symbol: int) -> None:
        """One literal or length by the fixed code (RFC 1951 3.2.6)."""
        if symbol < 144:
            self.code(0x30 + symbol, 8)
        elif symbol < 256:
            self.code(0x190 + symbol - 144, 9)
        elif symbol < 280:
            self.code(symbol - 256, 7)
        else:
            self.code(0xC0 + symbol - 280, 8)

    def finished(self) -> bytes:
        if self._count:
            self._done.append(self._pending & 0xFF)
        return bytes(self._done)


def _length_codes() -> Iterator[tuple[int, int, int]]:
    """(symbol, first length, extra bits), RFC 1951 3.2.5."""
    symbol, length = 257, 3
    for extra in (0, 0, 1, 2, 3, 4, 5):
        for _ in range(4):
            yield symbol, length, extra
            symbol, length = symbol + 1, length + (1 << extra)
    yield 285, _LONGEST_RUN, 0


_LENGTHS: Final = tuple(_length_codes())


def _deflated(content: bytes) -> bytes:
    bits = _Bits()
    bits.value(1, 1)  # the last block
    bits.value(1, 2)  # fixed Huffman codes
    for byte, count in _runs(content):
        bits.symbol(byte)
        _repeat(bits, byte, count - 1)
    bits.symbol(_END_OF_BLOCK)
    return bits.finished()


def _runs(content: bytes) -> Iterator[tuple[int, int]]:
    for run in _RUN.finditer(content):
        yield content[run.start()], run.end() - run.start()


def _repeat(bits: _Bits, byte: int, times: int) -> None:
    while times >= _SHORTEST_RUN:
        length = min(times, _LONGEST_RUN)
        symbol, first, extra = next(
            entry for entry in reversed(_LENGTHS) if entry[1] <= length
        )
        bits.symbol(symbol)
        bits.value(length - first, extra)
        bits.code(0, 5)  # one byte back
        times -= length
    for _ in range(times):
        bits.symbol(byte)
