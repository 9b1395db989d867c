"""Webhooks that are refused by their first bytes, where too many are being handled."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Final

import pytest
import uvicorn
from prometheus_client import generate_latest
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from support.webhooks import SECRET
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import SECURITY_HEADERS
from weighbridge.web.server.early_refusal import (
    IN_HAND,
    REFUSAL,
    RENEWED_S,
    EarlyRefusal,
    EarlyRefusalProtocol,
    is_whole,
    refusing_protocol,
)

BODY: Final = b'{"events":[]}'
WEBHOOK: Final = (
    b"POST /webhooks/distribution HTTP/1.1\r\nHost: x\r\n"
    b"Content-Length: 13\r\n\r\n" + BODY
)


class Wire(asyncio.Transport):
    """Keeps what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def get_extra_info(self, name: str, default: object = None) -> object:
        return default

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Service:
    """A server whose application answers when the test says so."""

    def __init__(self) -> None:
        self.telemetry = Telemetry()
        self.refusal = EarlyRefusal(self.telemetry, frozenset({"distribution"}))
        self.may_answer = asyncio.Event()
        self.asked = 0
        self._config = uvicorn.Config(
            self._answer, interface="asgi3", log_config=None, lifespan="off"
        )
        self._config.load()
        self._state = ServerState()
        self._protocol = refusing_protocol(self.refusal)
        self._doors: list[EarlyRefusalProtocol] = []

    def connect(self) -> tuple[EarlyRefusalProtocol, Wire]:
        door = self._protocol(self._config, self._state, {})
        wire = Wire()
        door.connection_made(wire)
        self._doors.append(door)
        return door, wire

    def fill(self) -> list[EarlyRefusalProtocol]:
        """As many as are taken at once, each in the middle of its request."""
        doors = []
        for _ in range(IN_HAND):
            door, _ = self.connect()
            door.data_received(WEBHOOK)
            doors.append(door)
        return doors

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def close(self) -> None:
        self.may_answer.set()
        await settle(self)
        for door in self._doors:
            door.connection_lost(None)


async def settle(service: Service) -> None:
    """Let everything go on that can."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    made = Service()
    yield made
    await made.close()


async def test_below_the_limit_every_webhook_reaches_the_application(
    service: Service,
) -> None:
    service.fill()
    await settle(service)

    assert service.asked == IN_HAND
    assert service.refusal.is_on


async def test_above_it_a_webhook_is_refused_at_once_and_counted(
    service: Service,
) -> None:
    service.fill()
    door, wire = service.connect()

    door.data_received(WEBHOOK)
    await settle(service)

    assert wire.sent == REFUSAL
    assert not wire.is_closed
    assert service.asked == IN_HAND
    value = service.telemetry.registry.get_sample_value
    labels = {"source": "distribution", "reason": "overload"}
    assert value("weighbridge_webhook_rejections_total", labels) == 1
    of_route = {"method": "POST", "route": "/webhooks/{source}", "code": "503"}
    assert value("weighbridge_http_requests_total", of_route) == 1


async def test_a_connection_that_was_refused_may_ask_again(service: Service) -> None:
    doors = service.fill()
    door, wire = service.connect()
    door.data_received(WEBHOOK)
    service.may_answer.set()
    await settle(service)
    assert service.refusal.in_hand == 0

    door.data_received(WEBHOOK)
    doors[0].data_received(WEBHOOK)
    await settle(service)

    assert wire.sent.startswith(REFUSAL + b"HTTP/1.1 202 ")
    assert service.asked == IN_HAND + 2
    assert service.refusal.in_hand == 0


async def test_who_asks_no_more_is_answered_and_let_go(service: Service) -> None:
    service.fill()

    for last in (
        WEBHOOK.replace(b"Host: x", b"Host: x\r\nConnection: Close"),
        WEBHOOK.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ):
        door, wire = service.connect()
        door.data_received(last)

        assert (wire.sent, wire.is_closed) == (REFUSAL, True)


async def test_who_is_refused_again_and_again_is_still_let_go_in_the_end(
    service: Service,
) -> None:
    service.fill()
    door, wire = service.connect()

    for _ in range(3):
        door.data_received(WEBHOOK)

    assert wire.sent == REFUSAL * 3
    clock = door.timeout_keep_alive_task
    assert clock is not None
    assert not clock.cancelled()
    assert clock.when() - door.loop.time() > door.timeout_keep_alive - RENEWED_S


async def test_addresses_that_nobody_configured_are_counted_as_one(
    service: Service,
) -> None:
    service.fill()

    for source in (b"elsewhere", b"anywhere"):
        door, _ = service.connect()
        door.data_received(WEBHOOK.replace(b"distribution", source + b"/a-secret"))

    value = service.telemetry.registry.get_sample_value
    labels = {"method": "POST", "route": "/webhooks/{source}/{secret}", "code": "503"}
    assert value("weighbridge_http_requests_total", labels) == 2
    assert "elsewhere" not in generate_latest(service.telemetry.registry).decode()


async def test_a_sender_who_goes_away_makes_room(service: Service) -> None:
    doors = service.fill()

    doors[0].connection_lost(None)
    door, wire = service.connect()
    door.data_received(WEBHOOK)

    assert wire.sent == b""
    assert service.refusal.in_hand == IN_HAND


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /api/v1/waivers HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["get", "post"],
)
async def test_everything_else_is_answered_meanwhile(
    service: Service, request_: bytes
) -> None:
    service.fill()
    door, _ = service.connect()

    door.data_received(request_)
    await settle(service)

    assert service.asked == IN_HAND + 1


async def test_what_did_not_come_whole_is_left_to_the_application(
    service: Service,
) -> None:
    service.fill()
    door, wire = service.connect()

    door.data_received(WEBHOOK[:-1])
    door.data_received(WEBHOOK[-1:])
    await settle(service)

    assert wire.sent == b""
    assert service.asked == IN_HAND + 1


async def test_who_only_begins_takes_nobodys_room(service: Service) -> None:
    for _ in range(IN_HAND):
        door, _ = service.connect()
        door.data_received(WEBHOOK[:40])
    last, wire = service.connect()

    last.data_received(WEBHOOK)
    await settle(service)

    assert (wire.sent, service.asked) == (b"", 1)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (WEBHOOK, True),
        (WEBHOOK.replace(b"Content-Length", b"content-length"), True),
        (WEBHOOK + b"POST /", False),
        (WEBHOOK[:-1], False),
        (WEBHOOK.replace(b"Content-Length: 13\r\n", b""), False),
        (WEBHOOK.replace(b"13\r\n", b"13\r\nContent-Length: 13\r\n"), False),
        (WEBHOOK.replace(b"13\r\n", b"13\r\nTransfer-Encoding: chunked\r\n"), False),
        (WEBHOOK.replace(b"13\r\n", b"13\r\nExpect: 100-continue\r\n"), False),
        (WEBHOOK.replace(b"13\r\n", b"-13\r\n"), False),
        (WEBHOOK.replace(b"Host: x\r\n", b"Host: x\nA: b\r\n"), False),
        (WEBHOOK.replace(b"Host: x\r\n", b"Host: x\r\n y\r\n"), False),
        (b"POST /webhooks/", False),
    ],
)
def test_only_one_whole_request_is_one(raw: bytes, expected: bool) -> None:
    assert is_whole(raw) is expected


def test_the_refusal_is_the_answer_of_the_application() -> None:
    head, _, body = REFUSAL.partition(b"\r\n\r\n")

    lines = head.decode("ascii").split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:])
    assert lines[0] == "HTTP/1.1 503 Service Unavailable"
    assert fields["retry-after"] == "2"
    assert int(fields["content-length"]) == len(body)
    assert set(SECURITY_HEADERS) <= fields.keys()
    assert json.loads(body)["error"]["code"] == "overload"
    assert SECRET.encode() not in REFUSAL
