"""Posts one message to one address, over guarded HTTP, and says whether it was taken.

No error holds the address: whoever knows it can write to most channels.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

import httpx

from weighbridge.config.channels.channel_settings import (
    HTTPSettings,
    PostSettings,
    ReachSettings,
)
from weighbridge.domain.limits import ERROR_BODY_BYTES
from weighbridge.domain.message.grouping import Message
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import (
    ConfigError,
    NotifyError,
    TransportError,
)
from weighbridge.net.connection.connect import client_tls
from weighbridge.net.connections import Connections
from weighbridge.net.failure.request_failures import our_errors
from weighbridge.net.guard.addresses import Reach, address_of
from weighbridge.net.http1.head import parse
from weighbridge.net.proxy.tunnel import proxy_of
from weighbridge.net.transport import Transport, client_over
from weighbridge.notify.render.content import MessageContent, content_of

DEADLINE_S: Final = 30.0
"""For everything, from the look-up of the name to the last byte of the answer."""
_HEADERS: Final = (
    ("Content-Type", "application/json"),
    # A message seldom follows another soon.
    ("Connection", "close"),
)
# Refusals of the moment and not of the message: its bytes came too slowly (RFC 9110
# 15.5.9), it came too early on its connection (RFC 8470 5.2), or too many came.
_BUSY: Final = frozenset({408, 425, 429})

# Nothing but another configuration changes these.
_NEVER_BETTER: Final = frozenset({"address_refused", "bad_request"})
_HINTS: Final = {
    "address_refused": "set allow_private: true if the channel is meant to be there",
    "bad_request": "check the url of the channel",
    "dns_error": "check the host of the channel's url",
    "bad_answer": "check that the channel's url is one of HTTP",
}
# What Slack answers: no_service, invalid_payload. Anything longer may be a whole page.
_WORD: Final = re.compile(rb"[a-z]{2,20}(?:_[a-z]{2,20}){0,5}")


class MessageReceiver:
    """Where the messages of a channel go.

    name:       the channel's
    url:        reads the address as it is now. Raises ConfigError
    transport:  a guarded one, under the channel's ceiling
    deadline_s: for one message
    """

    def __init__(
        self,
        name: str,
        url: Callable[[], Secret],
        transport: Transport,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self.name = name
        self._url = url
        self._transport = transport
        self._http = client_over(transport, deadline_s)

    async def post(self, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Returns once the receiver has taken the body, by a status of success.
        Redirects are not followed. Raises NotifyError.

        It is sent once: where nobody knows whether it was taken, whoever has the
        message decides."""
        # In a thread: the file may be on a disk that is slow just now.
        url = (await read(self.name, self._url)).reveal()
        try:
            with our_errors():
                # Streamed: a success counts, however much is said besides.
                async with self._http.stream(
                    "POST",
                    url,
                    content=body,
                    headers=[*_HEADERS, *headers],
                    extensions={"body_limit": ERROR_BODY_BYTES, "may_repeat": False},
                ) as response:
                    if not response.is_success:
                        await response.aread()
        except TransportError as exc:
            # Not as its cause: a traceback would show the address.
            raise _no_answer(self.name, url, exc) from None
        _judge(self.name, url, response)

    async def reach(self) -> None:
        """Connect to the receiver, and send nothing. Raises NotifyError."""
        url = (await read(self.name, self._url)).reveal()
        try:
            with our_errors():
                await self._transport.reach(url)
        except TransportError as exc:
            # Not as its cause: a traceback would show the address.
            raise _no_answer(self.name, url, exc) from None

    async def aclose(self) -> None:
        """End every connection."""
        await self._http.aclose()


class ReceiverNotifier:
    """What every Notifier to one receiver has."""

    def __init__(self, receiver: MessageReceiver) -> None:
        self._receiver = receiver

    @property
    def name(self) -> str:
        return self._receiver.name

    async def reach(self) -> None:
        """See `Reachable`."""
        await self._receiver.reach()

    async def aclose(self) -> None:
        await self._receiver.aclose()


class JSONNotifier(ReceiverNotifier):
    """A Notifier of a channel that takes JSON at an address, without a signature.

    payload: the body of a message, in that channel's words
    """

    def __init__(
        self,
        receiver: MessageReceiver,
        payload: Callable[[MessageContent], Mapping[str, object]],
    ) -> None:
        super().__init__(receiver)
        self._payload = payload

    async def send(self, message: Message) -> None:
        """Raises NotifyError."""
        payload = self._payload(content_of(message))
        await self._receiver.post(json.dumps(payload).encode())


THREADS: Final = 4
"""Messages that are handed over at the same time, where that is done in threads."""


class ThreadNotifier:
    """What every Notifier has that hands messages over in threads. They are its own:
    what hangs is not to take the threads of others.

    deadline_s: for one message
    """

    def __init__(self, name: str, deadline_s: float = DEADLINE_S) -> None:
        self._name = name
        self._deadline_s = deadline_s
        self._threads = ThreadPoolExecutor(
            THREADS, thread_name_prefix=f"weighbridge-{name}"
        )

    @property
    def name(self) -> str:
        return self._name

    async def aclose(self) -> None:
        """Begin no other message; nothing else is kept open."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._deadline_s):
                yield
        except TimeoutError as exc:
            raise NotifyError(
                f"channel {self._name}: no answer within {self._deadline_s:.0f} s",
                code="deadline",
                retryable=True,
            ) from exc


async def read(channel: str, secret: Callable[[], Secret]) -> Secret:
    """A secret whose file may have changed. Raises NotifyError(secret_file)."""
    try:
        return await asyncio.to_thread(secret)
    except ConfigError as exc:
        raise unreadable(channel, exc) from exc


def unreadable(channel: str, exc: ConfigError) -> NotifyError:
    """A file that is not there now may be there soon."""
    message = f"channel {channel}: {exc.message}"
    return NotifyError(message, code=exc.code, retryable=True)


def _no_answer(channel: str, url: str, exc: TransportError) -> NotifyError:
    return NotifyError(
        f"channel {channel}: {_without_address(exc.message, url)}",
        code=exc.code,
        retryable=exc.code not in _NEVER_BETTER,
        hint=_HINTS.get(exc.code, exc.hint if exc.code.startswith("proxy_") else ""),
    )


def _without_address(message: str, url: str) -> str:
    """What was said, with no part of the address."""
    try:
        address = address_of(url)
    except httpx.InvalidURL:
        return "its url is none"
    for said in (f"{address.shown}: ", address.shown, url):
        message = message.replace(said, "")
    return message.replace(address.host, "its host")


def _judge(channel: str, url: str, response: httpx.Response) -> None:
    status = response.status_code
    if response.is_success:
        return
    if 300 <= status < 400:
        raise NotifyError(
            f"channel {channel}: HTTP {status}, and redirects are not followed",
            code="redirect_refused",
            hint="configure the address that it redirects to",
        )
    word = _WORD.fullmatch(response.content.strip())
    said = word[0].decode() if word else ""
    told = f" ({said})" if said and said not in url else ""
    is_busy = status in _BUSY or status >= 500
    wait = parse(response.headers.get("retry-after", ""), datetime.now(UTC))
    raise NotifyError(
        f"channel {channel}: HTTP {status}{told}",
        code="channel_busy" if is_busy else "channel_refused",
        retryable=is_busy,
        retry_after=wait if is_busy else None,
        hint="" if is_busy else "check the url, and whether the channel still exists",
    )


CONNECTIONS: Final = 4
"""Messages to one channel at the same time."""


def ceiling_of(channel: ReachSettings) -> Reach:
    """How near its receivers may be. Addresses that are never reached stay refused
    either way."""
    return Reach.LOOPBACK if channel.allow_private else Reach.PUBLIC


def receiver_of(channel: PostSettings) -> MessageReceiver:
    """The one address that it has. Raises ConfigError(ca_file)."""
    return MessageReceiver(channel.name, channel.current_url, transport_of(channel))


def transport_of(channel: HTTPSettings) -> Transport:
    """Nothing is kept open between two messages: they seldom follow each other soon.
    Raises ConfigError(ca_file)."""
    # The system's certificates are read by the first connection that needs them.
    ca_file = ca_file_of(channel)
    tls = None if ca_file is None else client_tls(ca_file)
    connections = Connections(
        connections=CONNECTIONS,
        tls=tls,
        keepalive_s=0.0,
        proxy=proxy_of(channel.proxy),
    )
    return Transport(connections, ceiling=ceiling_of(channel))


def ca_file_of(channel: ReachSettings) -> str | None:
    """The authorities that its receivers' certificates may be from."""
    return None if channel.ca_file is None else str(channel.ca_file)
