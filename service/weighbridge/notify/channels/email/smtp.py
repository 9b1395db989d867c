"""One e-mail over SMTP, on a socket that the guard has opened.

smtplib speaks the protocol, in a thread of its own. It never opens a connection, its
answers have a budget, and whoever waits can end it.
"""

import smtplib
import socket
import ssl
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Final

from weighbridge.domain.limits import ERROR_BODY_BYTES
from weighbridge.domain.text.printable import Secret, printable
from weighbridge.errors import NotifyError, PartlyTaken
from weighbridge.notify.channels.email.email_channel import Security

STEP_S: Final = 20.0
"""The longest wait for one answer; whoever sends has a deadline for everything."""
SAID_CHARACTERS: Final = 120
_SAID_BYTES: Final = 512


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where e-mails are handed over.

    tls:      makes the context; None where nothing is encrypted
    password: reads it as it is now; None: nobody signs in
    step_s:   the longest wait for one answer, in seconds
    """

    host: str
    port: int
    security: Security
    tls: Callable[[], ssl.SSLContext]
    username: str | None = None
    password: Callable[[], Secret | None] = field(default=lambda: None, repr=False)
    step_s: float = STEP_S


def hand_over(
    channel: str,
    server: MailServer,
    password: Secret | None,
    sock: socket.socket,
    mail: EmailMessage | None,
    helo: str,
) -> None:
    """Send the e-mail over this connection, and close it. Blocks. Raises NotifyError.

    mail: None: only sign in
    helo: how we call ourselves
    """
    try:
        _converse(channel, server, password, sock, mail, helo)
    except smtplib.SMTPRecipientsRefused as exc:
        code, said = min(exc.recipients.values())
        raise _refused(channel, "the recipients", code, said) from exc
    except smtplib.SMTPResponseException as exc:
        if exc.smtp_code < 0:
            raise _no_smtp(channel) from exc  # so smtplib calls what has no code
        raise _refused(channel, _stage(exc), exc.smtp_code, exc.smtp_error) from exc
    except smtplib.SMTPNotSupportedError as exc:
        raise NotifyError(
            f"channel {channel}: the server offers no {_wanted(server)}",
            code="channel_refused",
            hint="check the port, and smtp.security",
        ) from exc
    except ssl.SSLError as exc:
        raise NotifyError(
            f"channel {channel}: no trusted TLS connection: {_of_tls(exc)}",
            code="tls_error",
            retryable=True,
            hint="check the port and smtp.security, or name its authority with ca_file",
        ) from exc
    except (smtplib.SMTPException, OSError, ValueError) as exc:
        if _is_timeout(exc):
            raise _no_answer(channel, server.step_s) from exc
        raise _no_smtp(channel) from exc
    finally:
        sock.close()


def _converse(
    channel: str,
    server: MailServer,
    password: Secret | None,
    sock: socket.socket,
    mail: EmailMessage | None,
    helo: str,
) -> None:
    sock.settimeout(server.step_s)
    context = None if server.security == "none" else server.tls()
    if server.security == "tls" and context is not None:
        sock = context.wrap_socket(sock, server_hostname=server.host)
    with sock, closing(_Client(sock, server, helo)) as client:
        if server.security == "starttls":
            client.starttls(context=context)
        if server.username is not None and password is not None:
            client.login(server.username, password.reveal())
        refused = {} if mail is None else client.send_message(mail)
        # Whatever comes now, the message was taken.
        with suppress(smtplib.SMTPException, OSError):
            client.quit()
    if refused:
        # Others have it by now: sent again, they would have it twice.
        code, said = min(refused.values())
        raise PartlyTaken(
            f"channel {channel}: {len(refused)} of the recipients were refused: "
            f"{code} {_shown(said)}",
            code="channel_refused",
            hint="check the addresses in to",
        )


class _Client(smtplib.SMTP):
    """smtplib's client over a socket that is open."""

    def __init__(self, sock: socket.socket, server: MailServer, helo: str) -> None:
        self._opened = sock
        super().__init__(server.host, local_hostname=helo, timeout=server.step_s)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        # Where smtplib would dial: the guard has done that.
        return self._opened

    def getreply(self) -> tuple[int, bytes]:
        """An answer, of at most 64 KiB."""
        if self.file is None and self.sock is not None:
            self.file = _Bounded(self.sock)
        return super().getreply()


class _Bounded:
    """Lines of a connection, within a budget."""

    def __init__(self, sock: socket.socket) -> None:
        self._file = sock.makefile("rb")
        self._left = ERROR_BODY_BYTES

    def readline(self, size: int) -> bytes:
        line = self._file.readline(min(size, self._left + 1))
        self._left -= len(line)
        if self._left < 0:
            raise OSError("the answers are too long")
        return line

    def close(self) -> None:
        self._file.close()


def _is_timeout(exc: BaseException | None) -> bool:
    """smtplib raises SMTPServerDisconnected for every OSError of the socket, a timeout
    too: what it was is known by its context alone."""
    while exc is not None:
        if isinstance(exc, TimeoutError):
            return True
        exc = exc.__context__
    return False


def _no_answer(channel: str, step_s: float) -> NotifyError:
    return NotifyError(
        f"channel {channel}: the mail server did not answer within {step_s:g} s",
        code="deadline",
        retryable=True,
    )


def _no_smtp(channel: str) -> NotifyError:
    return NotifyError(
        f"channel {channel}: the server ended the connection, or is no mail server",
        code="connection_reset",
        retryable=True,
        hint="check the port, and smtp.security",
    )


def _refused(channel: str, what: str, code: int, said: bytes | str) -> NotifyError:
    """RFC 5321 4.2.1: 4yz may go better later, 5yz not."""
    is_busy = 400 <= code < 500
    return NotifyError(
        f"channel {channel}: {what}: {code} {_shown(said)}",
        code="channel_busy" if is_busy else "channel_refused",
        retryable=is_busy,
        hint="" if is_busy else "ask the operator of the mail server",
    )


def _stage(exc: smtplib.SMTPResponseException) -> str:
    if isinstance(exc, smtplib.SMTPAuthenticationError):
        return "user or password are not accepted"
    if isinstance(exc, smtplib.SMTPSenderRefused):
        return "the sender is not accepted"
    return "the mail server refuses"


def _shown(said: bytes | str) -> str:
    text = (
        said if isinstance(said, str) else said[:_SAID_BYTES].decode("utf-8", "replace")
    )
    return printable(text.replace("\n", " "), SAID_CHARACTERS)


def _wanted(server: MailServer) -> str:
    return "sign-in" if server.security == "tls" else "STARTTLS or sign-in"


def _of_tls(exc: ssl.SSLError) -> str:
    if isinstance(exc, ssl.SSLCertVerificationError):
        return printable(exc.verify_message, SAID_CHARACTERS)
    return printable((exc.reason or "no reason was given").replace("_", " ").lower())
