"""All Alertmanagers of a cluster are told, whatever becomes of one of them."""

import json
from datetime import UTC, datetime

import httpx

from support.handler_connections import HandlerConnections
from support.receivers import answering, receiver, refused
from support.tolds import a_message, a_told
from weighbridge.notify.channels.alertmanager.notifier import (
    Alertmanager,
    AlertmanagerNotifier,
)


def two_alertmanagers(connections: HandlerConnections) -> AlertmanagerNotifier:
    urls = ("https://a.example/api/v2/alerts", "https://b.example/api/v2/alerts")
    each = [
        Alertmanager(receiver(connections, url, "am"), number)
        for number, url in enumerate(urls, start=1)
    ]
    return AlertmanagerNotifier("am", each)


async def test_every_alertmanager_is_sent_everything() -> None:
    connections = answering(httpx.Response(200), httpx.Response(200))

    await two_alertmanagers(connections).send(a_message())

    first, second = connections.requests
    assert {first.url.host, second.url.host} == {"a.example", "b.example"}
    assert first.content == second.content


async def test_one_alertmanager_that_is_away_does_not_keep_the_other_from_it() -> None:
    connections = HandlerConnections(
        lambda r: httpx.Response(503 if r.url.host == "a.example" else 200)
    )

    error = await refused(two_alertmanagers(connections).send(a_message()))

    assert len(connections.requests) == 2
    assert error.retryable
    assert error.message == (
        "channel am: 1 of 2 did not take it; number 1 of urls: HTTP 503"
    )


async def test_nothing_open_is_nothing_to_send() -> None:
    connections = answering()

    await Alertmanager(receiver(connections, name="am")).resend([], datetime.now(UTC))

    assert connections.requests == []


async def test_a_test_is_an_alert_of_another_name() -> None:
    connections = answering(httpx.Response(200), httpx.Response(200))

    await two_alertmanagers(connections).send(a_message(is_test=True))

    (alert,) = json.loads(connections.requests[0].content)
    assert alert["labels"]["alertname"] == "WeighbridgeTest"


async def test_thousands_of_alerts_go_in_pieces() -> None:
    connections = HandlerConnections(lambda _: httpx.Response(200))
    tolds = [a_told(repository=f"shop/{n}") for n in range(1_001)]
    single = Alertmanager(receiver(connections, name="am"))

    await single.resend(tolds, datetime.now(UTC))

    pieces = [json.loads(request.content) for request in connections.requests]
    assert [len(piece) for piece in pieces] == [500, 500, 1]
