"""Sockets to checked addresses: the fastest of them, and provably one of them."""

import asyncio
import ipaddress
import socket
from collections import deque
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Final

from weighbridge.errors import AddressRefused
from weighbridge.net.guard.reach import CheckedAddress

_STAGGER_S: Final = 0.25
"""The next address is tried after this, RFC 8305 section 5."""
_ADDRESSES_TRIED: Final = 8


async def open_socket(addresses: Sequence[CheckedAddress]) -> socket.socket:
    """A connected, non-blocking socket to one of `addresses`.

    A hanging address costs a quarter of a second, not a timeout. Raises OSError if
    none of them answers; AddressRefused if the peer is not one of them.
    """
    if len(addresses) == 1:
        sock = await _connected(addresses[0])
    else:
        sock = await _first_connected(_interleaved(addresses)[:_ADDRESSES_TRIED])
    try:
        _check_peer(sock, addresses)
    except BaseException:
        sock.close()
        raise
    return sock


async def _first_connected(addresses: Sequence[CheckedAddress]) -> socket.socket:
    waiting = deque(addresses)
    attempts: set[asyncio.Task[socket.socket]] = set()
    failures: list[BaseException] = []
    try:
        while waiting or attempts:
            if waiting:
                attempts.add(asyncio.create_task(_connected(waiting.popleft())))
            done, _ = await asyncio.wait(
                attempts,
                timeout=_STAGGER_S if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for attempt in done:
                # Others that have connected in the same moment are closed below.
                attempts.discard(attempt)
                failure = attempt.exception()
                if failure is None:
                    return attempt.result()
                failures.append(failure)
        raise failures[0]
    finally:
        # Not awaited: a cancel that came in such a wait would lose the winner.
        for attempt in attempts:
            attempt.cancel()
            attempt.add_done_callback(_close_late)


def _close_late(attempt: asyncio.Task[socket.socket]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()


async def _connected(address: CheckedAddress) -> socket.socket:
    sock = socket.socket(address.family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, (str(address.ip), address.port))
    except BaseException:
        sock.close()
        raise
    return sock


def _interleaved(addresses: Sequence[CheckedAddress]) -> list[CheckedAddress]:
    """The families in turn, the first answer's family first, RFC 8305 section 4."""
    first = [a for a in addresses if a.family == addresses[0].family]
    second = [a for a in addresses if a.family != addresses[0].family]
    pairs = chain.from_iterable(zip_longest(first, second))
    return [address for address in pairs if address is not None]


def _check_peer(sock: socket.socket, addresses: Sequence[CheckedAddress]) -> None:
    peer = sock.getpeername()
    ip = ipaddress.ip_address(peer[0])
    if CheckedAddress(ip, peer[1]) not in addresses:
        raise AddressRefused(f"connected to {ip}, which is not what was checked")
