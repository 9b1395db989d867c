"""Channels over HTTP against a receiver that fails in every way."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
from pathlib import Path

import pytest

from support.certificates import an_authority
from support.channel_sink import ENDLESS_BYTES, Fault, MessageSink, message_sink
from support.channels import a_channel, opened
from support.receivers import refused
from support.tolds import a_message, hostile_message
from weighbridge.domain.text.printable import Secret
from weighbridge.net.connections import Connections
from weighbridge.net.guard.addresses import Reach
from weighbridge.net.transport import Transport
from weighbridge.notify.channels.webhook.notifier import WebhookNotifier
from weighbridge.notify.post import DEADLINE_S, MessageReceiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


async def test_a_receiver_can_check_the_signature_with_five_lines(
    tmp_path: Path,
) -> None:
    async with (
        message_sink() as sink,
        a_channel(tmp_path, kind="webhook", url=sink.url, secret=SECRET) as channel,
    ):
        await channel.send(a_message(key="msg-7"))

        (taken,) = sink.taken
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    head = f"{taken.fields['webhook-id']}.{taken.fields['webhook-timestamp']}."
    digest = hmac.digest(key, head.encode() + taken.body, hashlib.sha256)
    expected = "v1," + base64.b64encode(digest).decode()
    assert hmac.compare_digest(expected, taken.fields["webhook-signature"])
    assert taken.json["schema"] == "weighbridge.notification/1"
    assert taken.json["key"] == taken.fields["webhook-id"] == "msg-7"


@pytest.mark.parametrize("kind", ["webhook", "slack", "teams"])
async def test_each_kind_hands_its_json_over(tmp_path: Path, kind: str) -> None:
    async with (
        message_sink() as sink,
        a_channel(tmp_path, kind=kind, url=sink.url) as channel,
    ):
        await channel.send(hostile_message("<!channel>\x00\u202e", count=60))

        (taken,) = sink.taken
    first = {"webhook": "schema", "slack": "text", "teams": "type"}[kind]
    assert next(iter(taken.json)) == first
    assert taken.fields["host"] == f"127.0.0.1:{sink.port}"
    assert taken.fields["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("fault", "code", "retryable", "retry_after"),
    [
        ("refuses", "channel_refused", False, None),
        ("gone", "channel_refused", False, None),
        ("busy", "channel_busy", True, 120.0),
        ("broken", "channel_busy", True, None),
    ],
)
async def test_answers_that_are_no_success_alert_out_002(
    tmp_path: Path, fault: Fault, code: str, retryable: bool, retry_after: float | None
) -> None:
    async with (
        message_sink() as sink,
        a_channel(tmp_path, kind="slack", url=sink.url) as channel,
    ):
        sink.fault = fault

        error = await refused(channel.send(a_message()))

        sink.fault = "none"
        await channel.send(a_message())
    assert (error.code, error.retryable) == (code, retryable)
    assert error.retry_after == retry_after
    assert "SECRET" not in str(error)


async def test_a_redirect_is_not_followed_alert_out_002(tmp_path: Path) -> None:
    async with (
        message_sink() as inside,
        message_sink() as sink,
        a_channel(tmp_path, kind="webhook", url=sink.url) as channel,
    ):
        sink.fault, sink.location = "redirect", inside.url

        error = await refused(channel.send(a_message()))

        assert (error.code, error.retryable) == ("redirect_refused", False)
        assert inside.connections == 0


async def test_of_a_body_without_end_almost_nothing_is_read_alert_out_002(
    tmp_path: Path,
) -> None:
    async with (
        message_sink() as sink,
        a_channel(tmp_path, kind="webhook", url=sink.url) as channel,
    ):
        sink.fault = "endless"

        # The status says that it was taken.
        await channel.send(a_message())

        assert sink.sent_bytes < ENDLESS_BYTES // 50


@pytest.mark.parametrize("fault", ["silent", "drips"])
async def test_a_receiver_that_takes_ten_minutes_is_left_at_the_deadline_alert_out_002(
    fault: Fault,
) -> None:
    async with message_sink() as sink:
        sink.fault = fault
        # Thirty seconds, but for a test.
        near = Transport(Connections(), ceiling=Reach.LOOPBACK)
        hasty = MessageReceiver("ops", lambda: Secret(sink.url), near, 1.0)
        channel = WebhookNotifier(hasty, lambda: None)

        error = await refused(channel.send(a_message()))

        await channel.aclose()
    assert (error.code, error.retryable) == ("deadline", True)
    assert DEADLINE_S == 30


async def test_a_slow_receiver_keeps_no_other_waiting(tmp_path: Path) -> None:
    async with message_sink() as slow, message_sink() as quick:
        slow.fault = "silent"
        channels = [
            {"name": name, "kind": "webhook", "url": sink.url, "allow_private": True}
            for name, sink in (("slow", slow), ("quick", quick))
        ]
        async with opened(tmp_path, *channels) as found:
            waiting = asyncio.create_task(found.notifiers["slow"].send(a_message()))

            # Long before the slow one is left.
            async with asyncio.timeout(20):
                await found.notifiers["quick"].send(a_message())

            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            assert len(quick.taken) == 1


async def test_nothing_is_written_down_of_an_address_alert_out_003(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with message_sink() as sink:
        url = sink.url

    async with a_channel(tmp_path, kind="slack", url=url) as channel:
        error = await refused(channel.send(a_message()))

    assert (error.code, error.retryable) == ("connect_error", True)
    assert error.message == "channel ops: nothing listens there"
    assert "SECRET" not in caplog.text
    assert f":{sink.port}" not in str(error)


async def test_a_certificate_is_checked_against_ca_file(tmp_path: Path) -> None:
    authority = an_authority(tmp_path)
    async with message_sink(tls=authority.server("127.0.0.1")) as sink:
        trusted = {"kind": "webhook", "url": sink.url, "ca_file": authority.ca_file}
        async with a_channel(tmp_path, **trusted) as channel:
            await channel.send(a_message())
        async with a_channel(tmp_path, kind="webhook", url=sink.url) as channel:
            error = await refused(channel.send(a_message()))

        assert len(sink.taken) == 1
    # A certificate may be renewed within the day in which we try.
    assert (error.code, error.retryable) == ("tls_error", True)


async def test_each_message_has_a_connection_of_its_own(tmp_path: Path) -> None:
    async with (
        message_sink() as sink,
        a_channel(tmp_path, kind="webhook", url=sink.url) as channel,
    ):
        for _ in range(3):
            await channel.send(a_message())

        assert sink.connections == len(sink.taken) == 3


async def test_an_address_from_a_file_is_used_as_it_is_now(tmp_path: Path) -> None:
    async with message_sink() as old, message_sink() as new:
        file = tmp_path / "slack"
        file.write_text(f"{old.url}\n")
        async with a_channel(tmp_path, kind="slack", url_file="slack") as channel:
            await channel.send(a_message())
            file.write_text(new.url)
            await channel.send(a_message())

        assert (_count(old), _count(new)) == (1, 1)


def _count(sink: MessageSink) -> int:
    assert all(json.loads(taken.body) for taken in sink.taken)
    return len(sink.taken)
