"""Opens a connection: look up, check, dial, then TLS with the name that was asked."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import httpx

from weighbridge.domain.limits import CONNECT_DEADLINE_S
from weighbridge.errors import AddressRefused
from weighbridge.net.connection.connection import Connection
from weighbridge.net.connection.tls import client_tls
from weighbridge.net.failure.request_failures import (
    AddressNotAllowed,
    CutOff,
    HandshakeFailed,
    NameNotFound,
)
from weighbridge.net.guard.dial import open_socket
from weighbridge.net.guard.reach import checked
from weighbridge.net.guard.resolve import Resolver
from weighbridge.net.guard.url_parts import OriginRoute


class Connector:
    """Makes connections that passed the guard. Every failure is an httpx error."""

    def __init__(
        self,
        resolver: Resolver,
        tls: ssl.SSLContext | None,
        on_certificate: Callable[[datetime], None] | None = None,
    ) -> None:
        self._resolver = resolver
        self._tls = tls
        self._on_certificate = on_certificate

    async def connect(
        self,
        route: OriginRoute,
        on_lost: Callable[[Connection], None],
        on_desync: Callable[[], None],
    ) -> Connection:
        """A connection to an address of `route` within its ceiling.

        Raises httpx.ConnectError (NameNotFound, AddressNotAllowed, HandshakeFailed),
        httpx.ConnectTimeout, CutOff.
        """
        try:
            async with asyncio.timeout(CONNECT_DEADLINE_S):
                sock = await self._dial(route)
                make = partial(Connection, sock, on_lost, on_desync)
                connection = await self._speak(route, sock, make)
        except TimeoutError as exc:
            raise httpx.ConnectTimeout(
                f"no connection in {CONNECT_DEADLINE_S:.3g} s"
            ) from exc
        if not connection.open:
            raise CutOff("the server closed the connection at once")
        return connection

    async def _dial(self, route: OriginRoute) -> socket.socket:
        try:
            addresses = await checked(
                self._resolver, route.host, route.port, route.ceiling
            )
        except AddressRefused as exc:
            raise AddressNotAllowed(exc.message) from exc
        except OSError as exc:
            raise NameNotFound(
                f"the name does not resolve: {exc.strerror or exc}"
            ) from exc
        try:
            return await open_socket(addresses)
        except AddressRefused as exc:
            raise AddressNotAllowed(exc.message) from exc
        except OSError as exc:
            raise httpx.ConnectError(f"no connection: {exc.strerror or exc}") from exc

    async def _speak(
        self, route: OriginRoute, sock: socket.socket, make: Callable[[], Connection]
    ) -> Connection:
        loop = asyncio.get_running_loop()
        # From here on the socket is asyncio's, which closes it on errors and cancels.
        # If we closed it, its number could go to another connection while the loop
        # still watches it for this one.
        if route.scheme == "http":
            _, connection = await loop.create_connection(make, sock=sock)
            return connection
        name = route.host.rstrip(".")
        try:
            transport, connection = await loop.create_connection(
                make, sock=sock, ssl=self._context(), server_hostname=name
            )
        except OSError as exc:
            # A reset, or silence, in the middle of the handshake is a failed handshake.
            raise HandshakeFailed(f"no trusted TLS connection: {exc}") from exc
        if self._on_certificate is not None:
            self._on_certificate(_end_of_certificate(transport))
        return connection

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = client_tls(None)
        return self._tls


def _end_of_certificate(transport: asyncio.BaseTransport) -> datetime:
    """Until when the server's own certificate holds, which was checked."""
    certificate = transport.get_extra_info("peercert")
    ends_at = ssl.cert_time_to_seconds(certificate["notAfter"])
    return datetime.fromtimestamp(ends_at, UTC)
