"""One connection to a server: one request at a time, and no byte without a request; and
how it is opened: look up, check, dial, then TLS with the name that was asked.

What is dialled is the fastest of the checked addresses, and provably one of them. TLS
has verified names and version 1.2 or later; of HTTP only HTTP/1.1 is offered.
"""

import asyncio
import ipaddress
import math
import select
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import chain, zip_longest
from typing import Final

import httpx

from weighbridge.config.file.regular_file import open_regular
from weighbridge.domain.limits import CONNECT_DEADLINE_S
from weighbridge.errors import AddressRefused, ConfigError
from weighbridge.net.failure.request_failures import (
    AddressNotAllowed,
    BadAnswer,
    CutOff,
    HandshakeFailed,
    KeptConnectionClosed,
    NameNotFound,
    unreached,
)
from weighbridge.net.guard.addresses import (
    CheckedAddress,
    OriginRoute,
    Proxy,
    Reach,
    Resolver,
    check_beyond_proxy,
    checked,
)
from weighbridge.net.http1.answer import AnswerReader, HTTPAnswer
from weighbridge.net.proxy.tunnel import open_tunnel, timed_out, unreachable

_READABLE: Final = select.POLLIN


class Connection(asyncio.Protocol):
    """Sends a request, reads its answer, and notices every sign of a desync.

    HTTP/1.1 answers carry no number: one answer too many shifts all later ones on its
    connection. So bytes after an answer, bytes while nothing was asked, and bytes that
    are no answer are told to `on_desync`; the connection itself is closed at once.

    sock: the socket below, or its descriptor; it is only looked at
    """

    def __init__(
        self,
        sock: socket.socket | int,
        on_lost: Callable[["Connection"], None],
        on_desync: Callable[[], None],
    ) -> None:
        self.lost = asyncio.Event()
        self.idle_since = 0.0
        self.distrusted = False
        self._on_lost = on_lost
        self._on_desync = on_desync
        self._transport: asyncio.Transport | None = None
        self._reader: AnswerReader | None = None
        self._answer: asyncio.Future[HTTPAnswer] | None = None
        self._asked = 0
        self._ends_at = math.inf
        self._alarm: asyncio.TimerHandle | None = None
        self._poll = select.poll()
        self._poll.register(sock, _READABLE)

    @property
    def open(self) -> bool:
        """Whether it can still carry a request."""
        return self._transport is not None and not self._transport.is_closing()

    def silent(self) -> bool:
        """Whether nothing has come in that the loop has not read yet: neither stray
        bytes nor the server's close. Costs half a microsecond."""
        return not self._poll.poll(0)

    def ask(
        self, request: bytes, reader: AnswerReader, ends_at: float = math.inf
    ) -> asyncio.Future[HTTPAnswer]:
        """Send a request. The future ends with the whole answer or an httpx error,
        ReadTimeout once the loop's time is `ends_at`; who stops waiting for it must
        call `close`."""
        if self._transport is None:
            raise CutOff("the connection is closed")
        self._asked += 1
        self._reader = reader
        self._answer = asyncio.get_running_loop().create_future()
        self._ends_at = ends_at
        self._watch_the_time()
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        """End the connection now; an answer under way is dropped."""
        self._reader = None
        self._answer = None
        self._silence_alarm()
        if self._transport is not None:
            self._transport.abort()

    def fail(self, failure: httpx.RequestError) -> None:
        """End the connection now; whoever waits for its answer gets `failure`."""
        answer = self._answer
        self.close()
        if answer is not None and not answer.done():
            answer.set_exception(failure)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket (and TLS) is ready."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream transport is needed")
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Bytes have come. An exception that left here would only be logged."""
        if self._reader is None:
            self.close()
            self._on_desync()
            return
        try:
            answer = self._reader.feed(data)
        except BadAnswer as exc:
            self.fail(exc)
            self._on_desync()
        except httpx.RequestError as exc:
            self.fail(exc)
        except Exception as exc:  # noqa: BLE001 - the request must end with a reason
            failure = BadAnswer(f"the answer could not be read: {exc!r}")
            failure.__cause__ = exc
            self.fail(failure)
            self._on_desync()
        else:
            if answer is not None:
                self._finish(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended, by either side."""
        self._transport = None
        self._silence_alarm()
        self._on_lost(self)
        self.lost.set()
        if self._reader is None:
            return
        if not self._reader.started and self._asked > 1:
            self.fail(KeptConnectionClosed("the server closed a kept connection"))
        elif exc is not None:
            failure = CutOff(f"the connection was cut off: {exc}")
            failure.__cause__ = exc
            self.fail(failure)
        else:
            self._end_answer(self._reader)

    def _watch_the_time(self) -> None:
        """See to it that something happens at `_ends_at`.

        One alarm serves many requests: with the usual minute for each, the alarm of
        an earlier one goes off first and is then set to what is due now.
        """
        if self._alarm is not None:
            if self._alarm.when() <= self._ends_at:
                return
            self._alarm.cancel()
            self._alarm = None
        if self._ends_at < math.inf:
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_at(self._ends_at, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        if self._answer is None:
            return  # the next request sets it again
        if asyncio.get_running_loop().time() < self._ends_at:
            self._watch_the_time()
        else:
            self.fail(httpx.ReadTimeout("the deadline passed before the answer"))

    def _silence_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _end_answer(self, reader: AnswerReader) -> None:
        try:
            answer = reader.end()
        except httpx.RequestError as exc:
            self.fail(exc)
        else:
            self._finish(answer)

    def _finish(self, answer: HTTPAnswer) -> None:
        waiting = self._answer
        self._reader = None
        self._answer = None
        if not answer.reusable and self._transport is not None:
            self._transport.abort()
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
        if answer.stray:
            self._on_desync()


_OF_PROXY: Final = 0.8
"""The part of the time for a connection that a proxy has to open it; TLS comes after
that."""


class Connector:
    """Makes connections that passed the guard. Every failure is an httpx error.

    deadline_s: for one connection, with TLS
    """

    def __init__(
        self,
        resolver: Resolver,
        tls: ssl.SSLContext | None,
        on_certificate: Callable[[datetime], None] | None = None,
        deadline_s: float = CONNECT_DEADLINE_S,
    ) -> None:
        self._resolver = resolver
        self._tls = tls
        self._on_certificate = on_certificate
        self._deadline_s = deadline_s

    async def connect(
        self,
        route: OriginRoute,
        on_lost: Callable[[Connection], None],
        on_desync: Callable[[], None],
    ) -> Connection:
        """A connection to an address of `route` within its ceiling.

        Raises httpx.ConnectError (NameNotFound, AddressNotAllowed, HandshakeFailed,
        ProxyFailed), httpx.ConnectTimeout, CutOff.
        """
        try:
            async with asyncio.timeout(self._deadline_s):
                if route.proxy is None:
                    sock = await self._dial(route)
                else:
                    sock = await self._dial_through(route.proxy, route)
                make = partial(Connection, sock, on_lost, on_desync)
                connection = await self._speak(route, sock, make)
        except TimeoutError as exc:
            raise httpx.ConnectTimeout(
                f"no connection in {self._deadline_s:.3g} s"
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

    async def _dial_through(self, proxy: Proxy, route: OriginRoute) -> socket.socket:
        try:
            check_beyond_proxy(route.host, route.port, route.ceiling)
        except AddressRefused as exc:
            raise AddressNotAllowed(exc.message) from exc
        limit_s = _OF_PROXY * self._deadline_s
        try:
            async with asyncio.timeout(limit_s):
                sock = await self._dial_proxy(proxy)
                try:
                    await open_tunnel(sock, proxy, route.host, route.port)
                except BaseException:
                    sock.close()
                    raise
                return sock
        except TimeoutError as exc:
            raise timed_out(proxy, limit_s) from exc

    async def _dial_proxy(self, proxy: Proxy) -> socket.socket:
        """It may be near: whoever configures it says so by its address."""
        try:
            return await open_socket(
                await checked(self._resolver, proxy.host, proxy.port, Reach.LOOPBACK)
            )
        except AddressRefused as exc:
            raise unreachable(proxy, exc.message) from exc
        except socket.gaierror as exc:
            raise unreachable(proxy, "its name does not resolve") from exc
        except OSError as exc:
            raise unreachable(proxy, unreached(exc)) from exc

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


def client_tls(ca_file: str | None) -> ssl.SSLContext:
    """A context that trusts the certificates of `ca_file` alone, or the system's.

    Reading the system's certificates takes some milliseconds: make one context for
    each registry and keep it. Raises ConfigError(ca_file) if the file is unusable.
    """
    context = mail_tls(ca_file)
    # Registries choose HTTP/2 as soon as it is offered, and we do not speak it.
    context.set_alpn_protocols(["http/1.1"])
    return context


def mail_tls(ca_file: str | None) -> ssl.SSLContext:
    """The same for what does not speak HTTP. Raises ConfigError(ca_file)."""
    try:
        if ca_file is not None:
            open_regular(ca_file).close()
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as exc:
        # ssl.SSLError is an OSError.
        raise ConfigError(
            f"ca_file {ca_file}: no certificates could be read from it: {exc}",
            code="ca_file",
            hint="name a readable file of PEM certificates",
        ) from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
