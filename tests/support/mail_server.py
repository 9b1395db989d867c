"""A mail server on loopback, which keeps what it is given and refuses when told to."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER = "weighbridge"
PASSWORD = "c4nary-of-mail"


@dataclass(slots=True)
class MailServer:
    """What it answers, and what it was given.

    answer:    to a whole message
    refused:   recipients that are not taken, with the answer that each gets
    encrypted: of each message that was taken, whether it came by TLS
    """

    port: int = 0
    answer: str = "250 taken"
    refused: dict[str, str] = field(default_factory=dict)
    envelopes: list[Envelope] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    @property
    def mails(self) -> list[EmailMessage]:
        """What was taken, parsed."""
        found = []
        for envelope in self.envelopes:
            content = envelope.content
            assert isinstance(content, bytes)
            mail = message_from_bytes(content, policy=policy.default)
            assert isinstance(mail, EmailMessage)
            found.append(mail)
        return found

    async def handle_RCPT(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.answer.startswith("250"):
            self.envelopes.append(envelope)
            assert server.transport is not None
            found = server.transport.get_extra_info("sslcontext")
            self.encrypted.append(found is not None)
        return self.answer


@asynccontextmanager
async def mail_server(
    *,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
    has_users: bool = False,
) -> AsyncIterator[MailServer]:
    """A server that listens until the block ends.

    starttls, tls: how it encrypts; neither: not at all
    has_users:     whether it takes mail from USER with PASSWORD alone
    """
    kept = MailServer()

    def protocol() -> SMTP:
        return SMTP(
            kept,
            hostname="mail.example",
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=_authenticate,
            auth_required=has_users,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls)
    kept.port = server.sockets[0].getsockname()[1]
    try:
        yield kept
    finally:
        server.close()
        await server.wait_closed()


def _authenticate(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
) -> AuthResult:
    assert isinstance(data, LoginPassword)
    is_right = (data.login.decode(), data.password.decode()) == (USER, PASSWORD)
    # Not handled: the server answers with 535 itself.
    return AuthResult(success=is_right, handled=is_right)
