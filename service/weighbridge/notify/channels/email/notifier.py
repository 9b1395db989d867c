"""Messages by e-mail: plain text, and the same as HTML."""

import asyncio
import hashlib
import socket
from contextlib import closing, suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from html import escape
from typing import Final

from weighbridge.domain.limits import CONNECT_DEADLINE_S
from weighbridge.domain.message.grouping import Message
from weighbridge.domain.text.printable import printable
from weighbridge.errors import AddressRefused, ConfigError, NotifyError
from weighbridge.net.connection.connect import open_socket
from weighbridge.net.failure.request_failures import unreached
from weighbridge.net.guard.addresses import Reach, SystemResolver, checked
from weighbridge.notify.channels.email.smtp import MailServer, hand_over
from weighbridge.notify.post import DEADLINE_S, ThreadNotifier, unreadable
from weighbridge.notify.render.content import (
    Fact,
    MessageContent,
    MessageItem,
    and_more,
    content_of,
    fitting,
    plain_text,
)

_ENDING_S: Final = 5.0


class EmailNotifier(ThreadNotifier):
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
        super().__init__(name, deadline_s)
        self._server = server
        self._ceiling = ceiling
        self._sender = sender
        self._recipients = recipients
        self._resolver = SystemResolver()

    async def send(self, message: Message) -> None:
        """Raises NotifyError."""
        await self._converse(mail_of(message, self._sender, self._recipients))

    async def reach(self) -> None:
        """See `Reachable`: TLS and the password are tried too."""
        await self._converse(None)

    async def _converse(self, mail: EmailMessage | None) -> None:
        async with self._in_time():
            with closing(await self._connected()) as sock:
                await self._hand_over(mail, sock)

    async def aclose(self) -> None:
        self._resolver.close()
        await super().aclose()

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

    async def _hand_over(self, mail: EmailMessage | None, sock: socket.socket) -> None:
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


SUBJECT_CHARACTERS: Final = 200
HTML_CHARACTERS: Final = 60_000
ITEMS: Final = 50
_COLOURS: Final = {"critical": "#b3261e", "warning": "#8a5a00", "info": "#1f5fa8"}
_GOOD: Final = "#2e6b30"
_FONT: Final = "font-family:system-ui,'Segoe UI',Helvetica,Arial,sans-serif"
_CODE: Final = (
    "font-family:ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere"
)

_TERM: Final = (
    "text-align:left;vertical-align:top;font-weight:400;color:#666;"
    "padding:1px 12px 1px 0"
)


def mail_of(message: Message, sender: str, recipients: tuple[str, ...]) -> EmailMessage:
    """The e-mail. The same message has the same Message-ID whenever it is sent, by
    which mail servers and readers know a second copy.

    sender, recipients: checked addresses, with or without a name
    """
    content = content_of(message)
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = printable(content.headline, SUBJECT_CHARACTERS)
    mail["From"] = _address(sender)
    mail["To"] = [_address(recipient) for recipient in recipients]
    mail["Date"] = format_datetime(message.sent_at)
    mail["Message-ID"] = _message_id(message.key, domain_of(sender))
    # RFC 3834: no out-of-office note is an answer to this.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(plain_text(content))
    mail.add_alternative(html_of(content), subtype="html")
    return mail


def domain_of(address: str) -> str:
    """What stands behind the @."""
    return parseaddr(address)[1].rpartition("@")[2]


def html_of(content: MessageContent) -> str:
    """A whole document without anything that a mail reader has to fetch."""
    articles = [_article(item) for item in content.items]
    shown, hidden = fitting(articles, HTML_CHARACTERS, ITEMS, len)
    hidden += content.more
    note = f'<p style="color:#555">{escape(content.note)}</p>' if content.note else ""
    more = f'<p style="color:#555">{and_more(hidden)}</p>' if hidden else ""
    headline = escape(content.headline)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{headline}</title></head>\n"
        f'<body style="{_FONT};font-size:14px;color:#1c1c1c;max-width:720px">\n'
        f'<h1 style="font-size:17px;overflow-wrap:anywhere">{headline}</h1>\n'
        f"{note}{''.join(shown)}{more}"
        '<p style="color:#777;font-size:12px">Sent by Weighbridge.</p>\n'
        "</body></html>\n"
    )


def _article(item: MessageItem) -> str:
    colour = _GOOD if item.is_resolved else _COLOURS[item.severity]
    facts = [*([item.cause] if item.cause else []), *item.facts]
    name = escape(item.name)
    if item.url:
        name = f'<a href="{escape(item.url)}" style="color:{colour}">{name}</a>'
    return (
        f'<div style="border-left:4px solid {colour};padding:2px 0 2px 12px;'
        'margin:0 0 20px">\n'
        f'<p style="margin:0;font-weight:600;overflow-wrap:anywhere">{name}</p>\n'
        f'<p style="margin:2px 0 8px">{escape(item.verdict)}</p>\n'
        f'<table style="border-collapse:collapse;font-size:13px">{_rows(facts)}'
        "</table>\n</div>\n"
    )


def _rows(facts: list[Fact]) -> str:
    return "".join(
        f'<tr><th style="{_TERM}">{escape(fact.name)}</th>'
        f'<td style="padding:1px 0;{_CODE if fact.is_code else ""}">'
        f"{escape(fact.value)}</td></tr>\n"
        for fact in facts
    )


def _address(text: str) -> Address:
    name, address = parseaddr(text)
    return Address(display_name=name, addr_spec=address)


def _message_id(key: str, domain: str) -> str:
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"<{digest[:40]}@{domain}>"
