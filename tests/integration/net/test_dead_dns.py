"""A name server that is dead or silent: the event loop runs on, the deadline holds."""

import asyncio
import ctypes
import os
import socket
from collections.abc import Awaitable
from contextlib import closing
from pathlib import Path

import pytest

from support.asking import a_request, asked, open_until_done
from support.namespace import NamespaceUnavailable, run_in_namespace
from support.recording_server import recording_server
from support.wait import PATIENCE_S
from weighbridge.errors import TransportError
from weighbridge.net.connections import Connections
from weighbridge.net.transport import follow

pytestmark = pytest.mark.netns

_NAME_SERVER = "93.184.216.53"
"""A public address, which in the namespace is our own."""
_DEADLINE_S = 0.5
_SILENT_S = 6
"""So long the system waits for a name server, of which there is one."""
_NAMES = 12
"""More than the resolver has threads."""
_CLONE_NEWNS = 0x0002_0000  # linux/sched.h
_MS_BIND = 0x1000  # linux/mount.h
_MS_PRIVATE_ALL = 0x0004_4000


def _ask_only_our_name_server(folder: Path) -> None:
    """Let this thread, and those that it starts, read another resolv.conf."""
    (folder / "resolv.conf").write_text(
        f"nameserver {_NAME_SERVER}\noptions timeout:{_SILENT_S} attempts:1\n"
    )
    (folder / "nsswitch.conf").write_text("hosts: files dns\n")
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.unshare(_CLONE_NEWNS))
    _check(libc.mount(b"none", b"/", None, _MS_PRIVATE_ALL, None))
    for file in folder.iterdir():
        target = Path("/etc", file.name).resolve()
        if target.exists():
            _check(libc.mount(bytes(file), bytes(target), None, _MS_BIND, None))


def _check(result: int) -> None:
    if result != 0:
        reason = os.strerror(ctypes.get_errno())
        raise NamespaceUnavailable(f"no file system of our own: {reason}")


async def _codes(connections: Connections, deadline_s: float) -> list[str]:
    """How requests to names end."""

    async def code(number: int) -> str:
        url = f"http://registry{number}.example/v2/"
        with pytest.raises(TransportError) as caught:
            await follow(connections, a_request(url, deadline_s=deadline_s))
        return caught.value.code

    return await asyncio.gather(*(code(number) for number in range(_NAMES)))


async def _timed(work: Awaitable[list[str]]) -> tuple[list[str], float, float]:
    """Its result, the seconds it took, and the longest that the loop stood still."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    began = before = loop.time()
    longest_s = 0.0
    while not task.done():
        await asyncio.wait([task], timeout=0.01)
        longest_s = max(longest_s, loop.time() - before)
        before = loop.time()
    return task.result(), loop.time() - began, longest_s


def test_a_silent_name_server_costs_a_deadline_and_stops_nothing_else(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        _ask_only_our_name_server(tmp_path)
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        silent.bind((_NAME_SERVER, 53))
        silent.setblocking(False)
        with closing(silent):
            async with (
                recording_server() as server,
                open_until_done(Connections()) as connections,
            ):
                waiting = asyncio.create_task(_timed(_codes(connections, _DEADLINE_S)))
                query = await asyncio.get_running_loop().sock_recv(silent, 512)
                literal = await asked(connections, f"{server.origin}/")
                answered_meanwhile = not waiting.done()
                codes, took_s, stood_still_s = await waiting

        assert b"registry" in query
        assert literal.content == b"hello"
        assert answered_meanwhile
        assert codes == ["deadline"] * _NAMES
        assert took_s < _SILENT_S - 1
        assert stood_still_s < _SILENT_S - 1

    run_in_namespace([f"{_NAME_SERVER}/32"], story)


def test_a_name_server_that_is_not_there_is_a_dns_error_within_the_deadline(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        _ask_only_our_name_server(tmp_path)
        async with open_until_done(Connections()) as connections:
            codes, took_s, stood_still_s = await _timed(_codes(connections, PATIENCE_S))

            assert codes == ["dns_error"] * _NAMES
            assert took_s < PATIENCE_S
            assert stood_still_s < _SILENT_S - 1

    run_in_namespace([f"{_NAME_SERVER}/32"], story)
