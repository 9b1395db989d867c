"""A tiny gzip writer whose bytes are the same with every zlib and every Python.

zlib's own output differs between its versions and forks (zlib-ng), and with it the
digests of everything that it packed. Runs are all that a small tar needs.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from typing import Final

_LONGEST_RUN: Final = 258
_SHORTEST_RUN: Final = 3
_END_OF_BLOCK: Final = 256
_RUN: Final = re.compile(rb"(.)\1*", re.DOTALL)
# RFC 1952 2.3: deflate, no flags, no time, written on an unknown system.
_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def gzip_bytes(content: bytes) -> bytes:
    """One gzip member that holds `content`: runs shortened, the rest as it is."""
    trailer = struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)
    return _HEADER + _deflated(content) + trailer


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
