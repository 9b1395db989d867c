"""Messages by e-mail."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from email.message import EmailMessage
from typing import Final

from weighbridge.domain.limits import CONNECT_DEADLINE_S
from weighbridge.domain.message.message import Message
from weighbridge.errors import AddressRefused, ConfigError, NotifyError
from weighbridge.net.failure.failure_words import unreached
from weighbridge.net.guard.dial import open_socket
from weighbridge.net.guard.reach import Reach, checked
from weighbridge.net.guard.resolve import SystemResolver
from weighbridge.notify.channels.email.payload import domain_of, mail_of
from weighbridge.notify.channels.email.smtp import MailServer, hand_over
from weighbridge.notify.post import DEADLINE_S, unreadable

THREADS: Final = 4
"""Messages that are handed over at the same time."""
_ENDING_S: Final = 5.0


class EmailNotifier:
    """A Notifier over one mail server.

    ceiling:            how near the server's address may be
    sender, recipients: checked addresses
    deadline_s:         for one message
    """

    def __init__(
        self,
        name: str,
        server: MailServer,
        ceiling: Reach,
        sender: str,
        recipients: tuple[str, ...],
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._name = name
        self._server = server
        self._ceiling = ceiling
        self._sender = sender
        self._recipients = recipients
        self._deadline_s = deadline_s
        self._resolver = SystemResolver()
        # Of its own: a server that hangs is not to take the threads of others.
        self._threads = ThreadPoolExecutor(
            THREADS, thread_name_prefix=f"weighbridge-{name}"
        )

    @property
    def name(self) -> str:
        return self._name

    async def send(self, message: Message) -> None:
        """Raises NotifyError."""
        mail = mail_of(message, self._sender, self._recipients)
        try:
            async with asyncio.timeout(self._deadline_s):
                with closing(await self._connected()) as sock:
                    await self._hand_over(mail, sock)
        except TimeoutError as exc:
            raise NotifyError(
                f"channel {self._name}: no answer within {self._deadline_s:.0f} s",
                code="deadline",
                retryable=True,
            ) from exc

    async def aclose(self) -> None:
        self._resolver.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _connected(self) -> socket.socket:
        server = self._server
        try:
            async with asyncio.timeout(CONNECT_DEADLINE_S):
                addresses = await checked(
                    self._resolver, server.host, server.port, self._ceiling
                )
                return await open_socket(addresses)
        except AddressRefused as exc:
            raise NotifyError(
                f"channel {self._name}: {exc.message}",
                code=exc.code,
                hint="set allow_private: true if the mail server is meant to be there",
            ) from exc
        except socket.gaierror as exc:
            raise NotifyError(
                f"channel {self._name}: the name of the mail server does not resolve",
                code="dns_error",
                retryable=True,
                hint="check smtp.host",
            ) from exc
        except TimeoutError:
            raise
        except OSError as exc:
            raise NotifyError(
                f"channel {self._name}: no connection: {unreached(exc)}",
                code="connect_error",
                retryable=True,
                hint="check smtp.host and smtp.port",
            ) from exc

    async def _hand_over(self, mail: EmailMessage, sock: socket.socket) -> None:
        """In a thread. Whoever stops waiting ends the connection, and so the thread."""
        try:
            password = await asyncio.to_thread(self._server.password)
        except ConfigError as exc:
            raise unreadable(self._name, exc) from exc
        # The thread has one of its own, which TLS may take over.
        theirs = sock.dup()
        theirs.setblocking(True)
        helo = domain_of(self._sender)
        job = self._threads.submit(
            hand_over, self._name, self._server, password, theirs, mail, helo
        )
        work = asyncio.wrap_future(job)
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            if job.cancel():
                theirs.close()  # it had not begun
                raise
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            await asyncio.wait([work], timeout=_ENDING_S)
            if work.done() and not work.cancelled():
                work.exception()  # it was ended: nobody asks what it said
            raise
