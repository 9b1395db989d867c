"""Bodies that are too large, too slow or not what they say; and too many at once."""

import asyncio
import time
from collections.abc import Mapping, Sequence

import pytest
from starlette.types import Message, Scope

from support.read_model import NOW
from support.wait import PATIENCE_S, wait_until
from support.webhooks import SECRET, Service, a_hook, body_of
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.request.access import KnownTokens
from weighbridge.web.request.answers import Refusal
from weighbridge.web.request.bodies import Gone
from weighbridge.web.request.threads import Threads
from weighbridge.web.webhooks.inbox import (
    BYTES,
    WEBHOOK_BYTES,
    Admission,
    Inbox,
    read_body,
)
from weighbridge.web.webhooks.receiver import Hooks, WebhookReceiver


class Pieces:
    """What a server hands on of a body; after the last piece it says nothing more."""

    def __init__(self, pieces: Sequence[bytes], *, is_whole: bool = True) -> None:
        self._messages: list[Message] = [
            {"type": "http.request", "body": piece, "more_body": True}
            for piece in pieces
        ]
        if is_whole:
            self._messages[-1]["more_body"] = False
        self.taken = 0

    async def __call__(self) -> Message:
        if self.taken == len(self._messages):
            await asyncio.Event().wait()
        self.taken += 1
        return self._messages[self.taken - 1]


async def read(
    pieces: Pieces, headers: Mapping[str, str] | None = None, *, read_s: float = 5.0
) -> bytes:
    return await read_body(headers or {}, pieces, Admission(), read_s)


async def refused(
    pieces: Pieces, headers: Mapping[str, str] | None = None, *, read_s: float = 5.0
) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await read(pieces, headers, read_s=read_s)
    return caught.value


async def test_a_body_in_pieces_is_put_together() -> None:
    assert await read(Pieces([b"a", b"", b"bc"])) == b"abc"


async def test_a_body_of_one_mebibyte_is_read() -> None:
    assert len(await read(Pieces([b"x" * WEBHOOK_BYTES]))) == WEBHOOK_BYTES


async def test_webhook_013_one_byte_more_is_refused_before_it_is_read() -> None:
    pieces = Pieces([b"x"])

    refusal = await refused(pieces, {"content-length": str(WEBHOOK_BYTES + 1)})

    assert (refusal.status, pieces.taken) == (413, 0)


async def test_webhook_013_a_body_without_a_length_is_read_no_further() -> None:
    pieces = Pieces([b"x" * 65_536] * 100, is_whole=False)

    refusal = await refused(pieces)

    assert (refusal.status, pieces.taken) == (413, WEBHOOK_BYTES // 65_536 + 1)


async def test_webhook_013_a_body_without_end_is_not_waited_for() -> None:
    refusal = await refused(Pieces([b"x"], is_whole=False), read_s=0.01)

    assert refusal.status == 408


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP", "identity, gzip"])
async def test_webhook_013_an_encoded_body_is_refused_before_it_is_read(
    encoding: str,
) -> None:
    pieces = Pieces([b"x"])

    refusal = await refused(pieces, {"content-encoding": encoding})

    assert (refusal.status, pieces.taken) == (415, 0)


@pytest.mark.parametrize("length", ["-1", "x", "٣", "1e9", ""])
async def test_a_length_that_is_none_does_not_count(length: str) -> None:
    assert await read(Pieces([b"abc"]), {"content-length": length}) == b"abc"


async def test_a_sender_who_goes_away_is_not_answered() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(Gone):
        await read_body({}, receive, Admission())


def test_webhook_013_the_answers_close_the_connection(service: Service) -> None:
    large = service.post(b"x" * (WEBHOOK_BYTES + 1))
    encoded = service.post(content_encoding="gzip")

    assert (large.status_code, encoded.status_code) == (413, 415)
    for answer in (large, encoded):
        assert answer.headers["connection"] == "close"
        assert answer.json()["error"]["code"] in ("too_large", "encoded_body")
    assert service.rejections() == {"unreadable": 2}
    assert service.events() == 0


def test_a_stranger_is_told_so_before_the_size_of_the_body(service: Service) -> None:
    answer = service.post(b"x" * (WEBHOOK_BYTES + 1), authorization="wrong")

    assert answer.status_code == 401


def test_what_a_stranger_claims_to_have_signed_is_read_under_the_cap(
    service: Service,
) -> None:
    headers = {"x_hub_signature_256": "sha256=" + "0" * 64}

    large = service.post(b"x" * (WEBHOOK_BYTES + 1), authorization=None, **headers)
    small = service.post(b"x", authorization=None, **headers)

    assert (large.status_code, small.status_code) == (413, 401)


def test_above_so_many_at_once_the_others_are_sent_away() -> None:
    room = Admission(requests=1)

    with room.enter(), pytest.raises(Refusal) as caught, room.enter():
        pass
    with room.enter():
        pass

    assert (caught.value.status, caught.value.code) == (503, "overload")


async def test_whoever_only_claims_to_sign_takes_nobodys_memory(
    database: Database,
) -> None:
    inbox = Inbox(database, None, lambda: NOW, PATIENCE_S)
    tokens = KnownTokens(database, lambda: NOW, time.monotonic)
    receiver = WebhookReceiver(
        Hooks([a_hook()]), inbox, Telemetry(), tokens, PATIENCE_S, threads=Threads()
    )
    claim = {"x-hub-signature-256": "sha256=" + "0" * 64}
    strangers = [
        asyncio.create_task(
            status_of(receiver, claim, Pieces([b"x" * WEBHOOK_BYTES], is_whole=False))
        )
        for _ in range(64)
    ]
    most = BYTES // WEBHOOK_BYTES
    await wait_until(
        lambda: sum(each.done() for each in strangers) == 64 - most,
        "there is no more room for strangers",
    )

    known = {"authorization": f"Bearer {SECRET}"}
    status = await status_of(receiver, known, Pieces([body_of()]))

    assert status == 202
    waiting = [each for each in strangers if not each.done()]
    assert len(waiting) == most
    for each in waiting:
        each.cancel()
    await asyncio.gather(*strangers, return_exceptions=True)
    inbox.close()


async def status_of(
    receiver: WebhookReceiver, headers: Mapping[str, str], pieces: Pieces
) -> int:
    """What is answered to a webhook of a distribution."""
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/webhooks/distribution",
        "path_params": {"source": "distribution"},
        "query_string": b"",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
    }
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await receiver(scope, pieces, send)
    return int(sent[0]["status"])


async def test_bodies_take_so_much_memory_and_no_more() -> None:
    room = Admission(size=3)
    room.hold(3)

    with pytest.raises(Refusal) as caught:
        await read_body({}, Pieces([b"x"]), room)
    room.release(3)

    assert caught.value.status == 503
    assert await read_body({}, Pieces([b"xyz"]), room) == b"xyz"
    assert await read_body({}, Pieces([b"xyz"]), room) == b"xyz"


def test_the_secret_is_in_no_answer(service: Service) -> None:
    for answer in (service.post(body_of()), service.post(b"", authorization=None)):
        assert SECRET not in answer.text
