"""HTTP proxies on loopback: one that follows a script, and the real tinyproxy."""

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.listening import listening, listening_in_thread
from support.missing import skip_or_fail
from support.serving import free_address

OPENED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_READY_S = 30.0


@dataclass(slots=True)
class ScriptedProxy:
    """Opens tunnels to loopback, whatever the name, or answers as it is told.

    answer: what is said to CONNECT; only OPENED opens a tunnel
    hangs:  whether nothing follows the answer, not even the end of the connection
    heads:  what came before the tunnels
    passed: what was sent through them by the client
    """

    port: int = 0
    answer: bytes = OPENED
    hangs: bool = False
    heads: list[str] = field(default_factory=list)
    passed: bytearray = field(default_factory=bytearray)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.heads.append(head)
        writer.write(self.answer)
        await writer.drain()
        if self.hangs:
            await reader.read()
        if self.answer != OPENED:
            return
        port = int(head.split(" ")[1].rpartition(":")[2])
        inner, outer = await asyncio.open_connection("127.0.0.1", port)
        back = asyncio.create_task(_copy(inner, writer))
        try:
            while data := await reader.read(65_536):
                self.passed += data
                outer.write(data)
                await outer.drain()
        finally:
            back.cancel()
            outer.close()
            with suppress(OSError, asyncio.CancelledError):
                await outer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def scripted_proxy() -> AsyncIterator[ScriptedProxy]:
    """A ScriptedProxy that listens until the block ends."""
    proxy = ScriptedProxy()
    async with listening(proxy.serve) as proxy.port:
        yield proxy


@contextmanager
def scripted_proxy_in_thread() -> Iterator[ScriptedProxy]:
    """The same, for tests that have no event loop."""
    proxy = ScriptedProxy()
    with listening_in_thread(proxy.serve) as proxy.port:
        yield proxy


@dataclass(frozen=True, slots=True)
class TinyProxy:
    """A running tinyproxy."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")


@contextmanager
def tinyproxy(
    folder: Path, user: str, password: str, *ports: int
) -> Iterator[TinyProxy]:
    """The real one, which lets this user connect to these ports and to no others.

    Skips the test where the program is not installed; fails there in CI.
    """
    program = shutil.which("tinyproxy")
    if program is None:
        skip_or_fail("tinyproxy is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    proxy = TinyProxy(int(free_address().rpartition(":")[2]), folder)
    config = folder / "tinyproxy.conf"
    lines = [
        f"Port {proxy.port}",
        "Listen 127.0.0.1",
        "Timeout 60",
        "LogLevel Connect",
        f"BasicAuth {user} {password}",
        *(f"ConnectPort {port}" for port in ports),
    ]
    config.write_text("\n".join(lines) + "\n")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-d", "-c", str(config)], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_listening(proxy, process)
        yield proxy
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_listening(proxy: TinyProxy, process: "subprocess.Popen[bytes]") -> None:
    ends_at = time.monotonic() + _READY_S
    while time.monotonic() < ends_at and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", proxy.port), 1):
            return
        time.sleep(0.02)
    pytest.fail(f"tinyproxy did not start:\n{proxy.log}")
