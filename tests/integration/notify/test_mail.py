"""E-mail over real SMTP: encryption, sign-in, refusals, and what hangs."""

import asyncio
import ssl
import time
from pathlib import Path

import pytest

from support.certificates import Authority, an_authority
from support.channels import a_channel
from support.listening import listening
from support.mail_server import PASSWORD, USER, mail_server
from support.receivers import refused
from support.tolds import HOSTILE, a_message, hostile_message
from weighbridge.errors import NotifyError, PartlyTaken
from weighbridge.net.guard.addresses import Reach
from weighbridge.notify.channels.email.notifier import EmailNotifier
from weighbridge.notify.channels.email.smtp import MailServer
from weighbridge.notify.post import THREADS


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return an_authority(tmp_path)


def keys(port: int, security: str, **more: object) -> dict[str, object]:
    """Of an e-mail channel on loopback; `more` is of its `smtp`."""
    smtp = {"host": "127.0.0.1", "port": port, "security": security, **more}
    return {
        "kind": "email",
        "smtp": smtp,
        "from": "Weighbridge <w@example.org>",
        "to": ["ops@example.org", "Team <team@example.org>"],
    }


async def failure(folder: Path, **channel: object) -> NotifyError:
    async with a_channel(folder, **channel) as ops:
        return await refused(ops.send(a_message()))


async def test_starttls_with_a_sign_in(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    context = authority.server("127.0.0.1")
    async with mail_server(starttls=context, has_users=True) as server:
        signed_in = keys(
            server.port, "starttls", username=USER, password_file="password"
        )
        async with a_channel(
            tmp_path, **signed_in, ca_file=authority.ca_file
        ) as channel:
            await channel.send(a_message())

        (mail,) = server.mails
        assert server.encrypted == [True]
        assert server.envelopes[0].mail_from == "w@example.org"
        assert server.envelopes[0].rcpt_tos == ["ops@example.org", "team@example.org"]
    assert mail["Subject"] == "harbor/shop/api:1.4.2 is 583 MB over max_compressed"
    assert mail["From"] == "Weighbridge <w@example.org>"
    assert mail["Date"] == "Tue, 22 Sep 2026 08:12:00 +0000"
    plain, rich = mail.iter_parts()
    assert (plain.get_content_type(), rich.get_content_type()) == (
        "text/plain",
        "text/html",
    )
    assert "New line, +570 MB compressed: RUN pip install torch" in plain.as_string()


async def test_tls_from_the_first_byte(tmp_path: Path, authority: Authority) -> None:
    async with mail_server(tls=authority.server("127.0.0.1")) as server:
        channel = keys(server.port, "tls") | {"ca_file": authority.ca_file}
        async with a_channel(tmp_path, **channel) as ops:
            await ops.send(a_message())

        assert server.encrypted == [True]


async def test_a_message_that_is_sent_again_has_the_same_id(tmp_path: Path) -> None:
    async with (
        mail_server() as server,
        a_channel(tmp_path, **keys(server.port, "none")) as channel,
    ):
        await channel.send(a_message(key="a"))
        await channel.send(a_message(key="a"))
        await channel.send(a_message(key="b"))

        first, again, other = (mail["Message-ID"] for mail in server.mails)
    assert first == again != other
    assert first.endswith("@example.org>")


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_whatever_was_pushed_is_a_whole_mail_to_our_recipients(
    tmp_path: Path, text: str
) -> None:
    async with (
        mail_server() as server,
        a_channel(tmp_path, **keys(server.port, "none")) as channel,
    ):
        await channel.send(hostile_message(text))

        (mail,) = server.mails
        assert server.envelopes[0].rcpt_tos == ["ops@example.org", "team@example.org"]
    assert mail["To"] == "ops@example.org, Team <team@example.org>"
    assert mail["Bcc"] is None
    assert not mail.defects


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_of_nobody_ends_it_before_the_password_is_said(
    tmp_path: Path, authority: Authority, security: str
) -> None:
    context = authority.server("127.0.0.1")
    server = (
        mail_server(starttls=context, has_users=True)
        if security == "starttls"
        else mail_server(tls=context)
    )
    async with server as listening_:
        channel = keys(listening_.port, security, username=USER, password=PASSWORD)

        error = await failure(tmp_path, **channel)

        assert listening_.envelopes == []
    assert (error.code, error.retryable) == ("tls_error", True)
    assert "certificate" in error.message


async def test_a_server_without_starttls_gets_nothing(tmp_path: Path) -> None:
    async with mail_server() as server:
        error = await failure(tmp_path, **keys(server.port, "starttls"))

        assert server.envelopes == []
    assert (error.code, error.retryable) == ("channel_refused", False)
    assert "STARTTLS" in error.message


async def test_a_wrong_password_is_never_right_and_never_told(
    tmp_path: Path, authority: Authority
) -> None:
    async with mail_server(
        starttls=authority.server("127.0.0.1"), has_users=True
    ) as server:
        channel = keys(server.port, "starttls", username=USER, password="c4nary-wrong")

        error = await failure(tmp_path, **channel, ca_file=authority.ca_file)

    assert (error.code, error.retryable) == ("channel_refused", False)
    assert error.message.startswith("channel ops: user or password are not accepted")
    assert "c4nary" not in error.message


@pytest.mark.parametrize(
    ("answer", "code", "retryable"),
    [
        ("451 4.3.0 try again later", "channel_busy", True),
        ("554 5.7.1 looks like spam", "channel_refused", False),
    ],
)
async def test_a_refused_message_is_tried_again_where_the_server_says_so(
    tmp_path: Path, answer: str, code: str, retryable: bool
) -> None:
    async with mail_server() as server:
        server.answer = answer

        error = await failure(tmp_path, **keys(server.port, "none"))

    assert (error.code, error.retryable) == (code, retryable)
    assert error.message.endswith(answer)


async def test_one_wrong_recipient_does_not_keep_it_from_the_other(
    tmp_path: Path,
) -> None:
    async with mail_server() as server:
        server.refused = {"team@example.org": "450 4.2.1 mailbox is busy"}

        error = await failure(tmp_path, **keys(server.port, "none"))

        assert [e.rcpt_tos for e in server.envelopes] == [["ops@example.org"]]
    # Sent again, it would come twice to the one who has it.
    assert (error.code, error.retryable) == ("channel_refused", False)
    assert isinstance(error, PartlyTaken)
    assert "1 of the recipients" in error.message


async def test_no_recipient_at_all_is_tried_again_if_that_may_change(
    tmp_path: Path,
) -> None:
    async with mail_server() as server:
        busy = "450 4.2.1 mailbox is busy"
        server.refused = {"team@example.org": busy, "ops@example.org": busy}

        error = await failure(tmp_path, **keys(server.port, "none"))

    assert (error.code, error.retryable) == ("channel_busy", True)


async def test_nobody_listens(tmp_path: Path) -> None:
    async with mail_server() as server:
        port = server.port

    error = await failure(tmp_path, **keys(port, "none"))

    assert (error.code, error.retryable) == ("connect_error", True)
    assert error.message == "channel ops: no connection: nothing listens there"


async def test_what_speaks_no_smtp_is_told(tmp_path: Path) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with listening(serve) as port:
        error = await failure(tmp_path, **keys(port, "none"))

    assert (error.code, error.retryable) == ("connection_reset", True)


async def test_a_greeting_without_end_is_left(tmp_path: Path) -> None:
    sent = 0

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while sent < 1 << 26:
            writer.write(b"220-" + b"x" * 1_000 + b"\r\n")
            await writer.drain()
            sent += 1_006

    async with listening(serve) as port:
        error = await failure(tmp_path, **keys(port, "none"))

    assert error.code == "connection_reset"
    assert sent < 1 << 24


async def test_a_server_that_says_nothing_is_left_at_the_deadline() -> None:
    async def serve(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(600)

    async with listening(serve) as port:
        server = MailServer("127.0.0.1", port, "none", ssl.create_default_context)
        # Thirty seconds, but for a test.
        channel = EmailNotifier(
            "ops", server, Reach.LOOPBACK, "w@example.org", ("ops@example.org",), 0.5
        )
        began = time.monotonic()

        error = await refused(channel.send(a_message()))

        # The thread has ended too: it waited on a connection that we have ended.
        assert time.monotonic() - began < 60
        await channel.aclose()
    assert (error.code, error.retryable) == ("deadline", True)


@pytest.mark.parametrize("said", [b"", b"220 mail.example ready\r\n"])
async def test_a_server_that_stops_answering_is_a_deadline_and_speaks_smtp(
    said: bytes,
) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await asyncio.sleep(600)

    async with listening(serve) as port:
        server = MailServer(
            "127.0.0.1", port, "none", ssl.create_default_context, step_s=0.2
        )
        channel = EmailNotifier(
            "ops", server, Reach.LOOPBACK, "w@example.org", ("ops@example.org",)
        )

        error = await refused(channel.send(a_message()))

        await channel.aclose()
    assert (error.code, error.retryable) == ("deadline", True)
    assert error.message == "channel ops: the mail server did not answer within 0.2 s"


async def test_messages_that_wait_for_a_thread_end_at_the_deadline_too() -> None:
    async def serve(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(600)

    async with listening(serve) as port:
        server = MailServer("127.0.0.1", port, "none", ssl.create_default_context)
        channel = EmailNotifier(
            "ops", server, Reach.LOOPBACK, "w@example.org", ("ops@example.org",), 0.5
        )

        errors = await asyncio.gather(
            *(refused(channel.send(a_message())) for _ in range(3 * THREADS))
        )

        await channel.aclose()
    assert {error.code for error in errors} == {"deadline"}
