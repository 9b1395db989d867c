"""The two sides of a `FaultProxy`: one client's connection, and its own upstream."""

import asyncio
import re
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypedDict

from support.fault_plan import Plan
from support.faults import (
    Altered,
    Answer,
    Asked,
    Cut,
    Delay,
    Drip,
    Fault,
    Instead,
    Kind,
    Reset,
    Silence,
    Stray,
)

_HOP_BY_HOP = frozenset(("connection", "keep-alive", "transfer-encoding"))
_BODILESS = frozenset((204, 304))


class WhenWords(TypedDict, total=False):
    """The fields of `When`, as arguments by name."""

    kind: Kind | None
    method: str | None
    target: str | re.Pattern[str]
    since: int
    until: int | None
    attempts: int | None
    every: int
    chance: float
    times: int | None


class _Passing(Protocol):
    """What passes a request on."""

    async def ask(self, method: str, request: bytes) -> Answer: ...


class Upstream:
    """One kept connection to the registry, opened when it is needed."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, request: bytes) -> Answer:
        """The registry's answer. Raises OSError, IncompleteReadError."""
        if self._streams is not None:
            # A kept connection may have ended since.
            with suppress(OSError, asyncio.IncompleteReadError):
                return await self._ask(method, request)
            self.close()
        self._streams = await asyncio.open_connection(*self._address)
        return await self._ask(method, request)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _ask(self, method: str, request: bytes) -> Answer:
        assert self._streams is not None
        reader, writer = self._streams
        writer.write(request)
        await writer.drain()
        answer, is_kept = await _read_answer(reader, method)
        if not is_kept:
            self.close()
        return answer


class Connection:
    """One client: requests in turn, each answered as the plan wants it."""

    def __init__(
        self,
        plan: Plan,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        upstream: _Passing,
    ) -> None:
        self._plan = plan
        self._reader = reader
        self._writer = writer
        self._upstream = upstream

    async def serve(self) -> None:
        """Until the client goes, or a fault ends it."""
        with suppress(OSError, asyncio.IncompleteReadError):
            while await self._exchange():
                pass

    async def _exchange(self) -> bool:
        """One request; whether the connection may go on."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        method, target, headers = _parsed(head)
        body = await self._reader.readexactly(int(headers.get("content-length", 0)))
        asked = self._plan.note(method, target, headers)
        await self._call_hooks(asked)
        fault = await self._wait_out_delays(self._plan.faults_of(asked))
        if isinstance(fault, Silence):
            await self._reader.read()
            return False
        if fault == Reset("before"):
            abort(self._writer)
            return False
        answer = await self._answer(asked, head + body, fault)
        if answer is None:
            abort(self._writer)
            return False
        return await self._send(asked, answer, fault)

    async def _call_hooks(self, asked: Asked) -> None:
        loop = asyncio.get_running_loop()
        for hook in self._plan.hooks_before(asked):
            await loop.run_in_executor(None, hook.call)

    async def _wait_out_delays(self, faults: list[Fault]) -> Fault | None:
        for fault in faults:
            if not isinstance(fault, Delay):
                return fault
            await asyncio.sleep(fault.seconds)
        return None

    async def _answer(
        self, asked: Asked, request: bytes, fault: Fault | None
    ) -> Answer | None:
        """What is to be sent, None where the registry is not there."""
        if isinstance(fault, Instead):
            return fault.answer(asked)
        try:
            answer = await self._upstream.ask(asked.method, request)
        except (OSError, asyncio.IncompleteReadError):
            return None
        return fault.change(asked, answer) if isinstance(fault, Altered) else answer

    async def _send(self, asked: Asked, answer: Answer, fault: Fault | None) -> bool:
        head, body = _wire(answer, asked.method)
        if isinstance(fault, Drip):
            await self._drip(head + body, fault)
            return True
        end = _end(fault, head, body, lambda: self._plan.chance(asked, "cut"))
        if end is None:
            self._writer.write(head + body)
            if isinstance(fault, Stray):
                await self._stray(fault)
            await self._writer.drain()
            return True
        length, is_reset = end
        self._writer.write((head + body)[:length])
        await self._writer.drain()
        if is_reset:
            # Else the reset overtakes what was sent.
            await asyncio.sleep(0.01)
            abort(self._writer)
        return False

    async def _drip(self, data: bytes, drip: Drip) -> None:
        for start in range(0, len(data), drip.piece_bytes):
            self._writer.write(data[start : start + drip.piece_bytes])
            await self._writer.drain()
            await asyncio.sleep(drip.every_s)

    async def _stray(self, stray: Stray) -> None:
        if stray.after_s:
            await self._writer.drain()
            await asyncio.sleep(stray.after_s)
        self._writer.write(b"".join(_wire(stray.answer, "GET")))


def abort(writer: asyncio.StreamWriter) -> None:
    """RST instead of FIN: linger for 0 seconds."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        linger = struct.pack("ii", 1, 0)
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


def _end(
    fault: Fault | None, head: bytes, body: bytes, chance: Callable[[], float]
) -> tuple[int, bool] | None:
    """After how many bytes the connection ends, and whether with RST; None: not."""
    length = len(head) + len(body)
    if isinstance(fault, Cut):
        after = fault.after_bytes
        place = int(chance() * length) if after is None else after
        # Else the answer would be whole.
        return min(place, length - 1), fault.is_reset
    if isinstance(fault, Reset):
        if fault.where == "headers":
            return len(head) // 2, True
        return (len(head) + len(body) // 2 if body else len(head) - 1), True
    return None


def _parsed(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.split(":", 1) for line in lines)
    return method, target, {name.lower(): value.strip() for name, value in pairs}


def _wire(answer: Answer, method: str) -> tuple[bytes, bytes]:
    """Head and body. The answer to a HEAD keeps the length that it came with."""
    lines = [f"HTTP/1.1 {answer.status} Proxied"]
    names = {name.lower() for name, _ in answer.headers}
    is_bodiless = method == "HEAD" or answer.status in _BODILESS
    for name, value in answer.headers:
        if name.lower() in _HOP_BY_HOP:
            continue
        if name.lower() != "content-length" or is_bodiless:
            lines.append(f"{name}: {value}")
    if not is_bodiless or "content-length" not in names:
        lines.append(f"Content-Length: {len(answer.body)}")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    return head, b"" if is_bodiless else answer.body


async def _read_answer(
    reader: asyncio.StreamReader, method: str
) -> tuple[Answer, bool]:
    """A whole answer, and whether the connection may be used again."""
    raw = await reader.readuntil(b"\r\n\r\n")
    first, *lines = raw.decode("latin-1").rstrip().split("\r\n")
    status = int(first.split(" ")[1])
    pairs = [line.split(":", 1) for line in lines]
    headers = tuple((name, value.strip()) for name, value in pairs)
    fields = {name.lower(): value for name, value in headers}
    is_kept = fields.get("connection", "").lower() != "close"
    if method == "HEAD" or status in _BODILESS:
        body = b""
    elif fields.get("transfer-encoding", "").lower() == "chunked":
        body = await _read_chunks(reader)
    elif "content-length" in fields:
        body = await reader.readexactly(int(fields["content-length"]))
    else:
        body, is_kept = await reader.read(), False
    return Answer(status, headers, body), is_kept


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    chunks: list[bytes] = []
    while True:
        line = await reader.readuntil(b"\r\n")
        chunk = await reader.readexactly(int(line.split(b";")[0], 16))
        await reader.readuntil(b"\r\n")
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
