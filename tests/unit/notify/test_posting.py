"""One message over HTTP: what counts as taken, what is tried again, what is told."""

import json
import traceback
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from support.handler_connections import HandlerConnections
from support.receivers import URL, answering, failing, receiver, refused
from support.tolds import a_message
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import ConfigError
from weighbridge.net.failure.request_failures import (
    AddressNotAllowed,
    HandshakeFailed,
    NameNotFound,
)
from weighbridge.net.guard.addresses import Reach
from weighbridge.net.transport import Transport
from weighbridge.notify.channels.slack.payload import slack_payload
from weighbridge.notify.channels.teams.payload import teams_payload
from weighbridge.notify.channels.webhook.notifier import WebhookNotifier, signature
from weighbridge.notify.channels.webhook.webhook_channel import signing_key
from weighbridge.notify.post import JSONNotifier, MessageReceiver

KEY = signing_key(Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))


def no_key() -> bytes | None:
    return None


def webhook(
    connections: HandlerConnections, key: Callable[[], bytes | None] = no_key
) -> WebhookNotifier:
    return WebhookNotifier(receiver(connections), key)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_success_means_that_it_was_taken(status: int) -> None:
    connections = answering(httpx.Response(status))

    await webhook(connections).send(a_message())

    assert len(connections.requests) == 1


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (301, "redirect_refused", False),
        (307, "redirect_refused", False),
        (400, "channel_refused", False),
        (401, "channel_refused", False),
        (404, "channel_refused", False),
        (408, "channel_busy", True),
        (410, "channel_refused", False),
        (424, "channel_refused", False),
        (425, "channel_busy", True),
        (426, "channel_refused", False),
        (429, "channel_busy", True),
        (500, "channel_busy", True),
        (503, "channel_busy", True),
    ],
)
async def test_what_is_tried_again_alert_out_002(
    status: int, code: str, retryable: bool
) -> None:
    location = {"Location": "http://127.0.0.1/inside"}
    connections = answering(httpx.Response(status, headers=location))

    error = await refused(webhook(connections).send(a_message()))

    assert (error.code, error.retryable) == (code, retryable)
    assert len(connections.requests) == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120.0), ("0", None), ("soon", None), ("", None), ("9999", 900.0)],
)
@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
async def test_retry_after_is_handed_on(
    status: int, value: str, seconds: float | None
) -> None:
    connections = answering(httpx.Response(status, headers={"Retry-After": value}))

    error = await refused(webhook(connections).send(a_message()))

    assert error.retry_after == seconds


@pytest.mark.parametrize("status", [408, 425, 429, 503])
async def test_no_retry_after_is_none(status: int) -> None:
    error = await refused(webhook(answering(httpx.Response(status))).send(a_message()))

    assert error.retry_after is None


@pytest.mark.parametrize(
    ("failure", "code", "retryable"),
    [
        (httpx.ReadTimeout("late"), "deadline", True),
        (NameNotFound("no"), "dns_error", True),
        (HandshakeFailed("no"), "tls_error", True),
        (httpx.ConnectError("no"), "connect_error", True),
        (httpx.ReadError("cut"), "connection_reset", True),
        (AddressNotAllowed("hooks.slack.com is private"), "address_refused", False),
    ],
)
async def test_no_answer_is_tried_again_but_not_a_refused_address(
    failure: httpx.RequestError, code: str, retryable: bool
) -> None:
    error = await refused(webhook(failing(failure)).send(a_message()))

    assert (error.code, error.retryable) == (code, retryable)


@pytest.mark.parametrize(
    "connections",
    [
        failing(httpx.ConnectError(f"no connection to {URL}")),
        failing(AddressNotAllowed("hooks.slack.com leads to 127.0.0.1")),
        answering(httpx.Response(404, text=f"no such page: {URL}")),
        answering(httpx.Response(500, text="services")),
        answering(httpx.Response(302, headers={"Location": URL})),
    ],
    ids=["no connection", "guard", "page", "word of the address", "redirect"],
)
async def test_no_error_holds_the_address_alert_out_003(
    connections: HandlerConnections,
) -> None:
    error = await refused(webhook(connections).send(a_message()))

    told = "".join(traceback.format_exception(error)) + repr(error.__dict__)
    for secret in ("SECRET", "hooks.slack.com", "T000", "(services)"):
        assert secret not in told
    assert "channel ops" in error.message


async def test_what_slack_answers_is_told() -> None:
    connections = answering(httpx.Response(404, text="no_service"))

    error = await refused(
        JSONNotifier(receiver(connections), slack_payload).send(a_message())
    )

    assert error.message == "channel ops: HTTP 404 (no_service)"


async def test_a_success_with_a_body_without_end_was_taken() -> None:
    connections = answering(httpx.Response(200, content=b"x" * 100_000))

    await webhook(connections).send(a_message())

    assert connections.asks[0].body_limit == 64 * 1024


async def test_a_message_is_bounded_and_never_sent_again_by_itself() -> None:
    connections = answering(httpx.Response(200))

    await webhook(connections).send(a_message())

    (sent,) = connections.asks
    assert sent.ceiling == Reach.PUBLIC
    assert sent.deadline_s == 30
    assert not sent.may_repeat


async def test_the_id_is_the_key_and_the_body_is_signed_as_it_was_sent() -> None:
    connections = answering(httpx.Response(200))
    before = int(datetime.now(UTC).timestamp())

    await webhook(connections, lambda: KEY).send(a_message(key="msg-7"))

    (request,) = connections.requests
    sent = request.headers
    assert sent["webhook-id"] == "msg-7"
    at = int(sent["webhook-timestamp"])
    assert before <= at <= before + 5
    assert sent["webhook-signature"] == signature(KEY, "msg-7", at, request.content)
    assert sent["content-type"] == "application/json"


async def test_without_a_secret_nothing_is_signed() -> None:
    connections = answering(httpx.Response(200))

    await webhook(connections).send(a_message())

    assert connections.sent("webhook-signature") == [None]
    assert connections.sent("webhook-id") == ["msg-1"]


async def test_the_same_message_has_the_same_body_when_it_is_sent_again() -> None:
    connections = answering(httpx.Response(503), httpx.Response(200))
    notifier = webhook(connections)

    await refused(notifier.send(a_message()))
    await notifier.send(a_message())

    first, second = connections.requests
    assert first.content == second.content


async def test_a_rotated_secret_is_read_again() -> None:
    urls = [Secret("https://a.example/1"), Secret("https://b.example/2")]
    connections = answering(httpx.Response(200), httpx.Response(200))
    rotated = MessageReceiver("ops", lambda: urls.pop(0), Transport(connections))
    notifier = JSONNotifier(rotated, slack_payload)

    await notifier.send(a_message())
    await notifier.send(a_message())

    assert [str(r.url) for r in connections.requests] == [
        "https://a.example/1",
        "https://b.example/2",
    ]


async def test_a_secret_that_is_not_there_may_be_there_soon() -> None:
    def gone() -> Secret:
        raise ConfigError("/run/secrets/ops is empty", code="secret_file")

    notifier = JSONNotifier(
        MessageReceiver("ops", gone, Transport(answering())), slack_payload
    )

    error = await refused(notifier.send(a_message()))

    assert (error.code, error.retryable) == ("secret_file", True)
    assert error.message == "channel ops: /run/secrets/ops is empty"


async def test_teams_gets_a_card() -> None:
    connections = answering(httpx.Response(202))

    await JSONNotifier(receiver(connections), teams_payload).send(a_message())

    payload = json.loads(connections.requests[0].content)
    assert payload["attachments"][0]["content"]["type"] == "AdaptiveCard"


async def test_closing_a_channel_closes_its_connections() -> None:
    connections = answering()

    await webhook(connections).aclose()

    assert connections.is_closed
