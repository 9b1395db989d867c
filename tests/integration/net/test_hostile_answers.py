"""Every answer of the hostile table: refused or read right, and no harm done after."""

import asyncio
import resource
from collections.abc import Awaitable, Callable, Mapping

import pytest

from support.asking import a_request, asked, open_until_done
from support.hostile_server import (
    BODY_LIMIT,
    HOSTILE,
    Hostile,
    HostileServer,
    hostile_server,
)
from support.wait import PATIENCE_S, wait_until
from weighbridge.errors import TransportError
from weighbridge.net.connections import Connections
from weighbridge.net.failure.request_failures import our_errors
from weighbridge.net.transport import follow

_DEADLINE_S = 0.4
_ROWS: Mapping[str, str] = {
    "endless-chunks": "manifest-027",
    "gzip-bomb": "registry_http-009",
    "dripping-body": "registry_http-011",
    "dripping-head": "registry_http-012",
    "ten-thousand-fields": "registry_http-012",
    "mebibyte-field": "registry_http-012",
    "reset-in-head": "registry_http-021",
    "reset-in-body": "registry_http-021",
    "reset-at-once": "registry_http-021",
}


def _id(hostile: Hostile) -> str:
    row = _ROWS.get(hostile.name)
    return f"{row}:{hostile.name}" if row else hostile.name


async def _by_follow(connections: Connections, url: str, hostile: Hostile) -> bytes:
    ask = a_request(
        url,
        method=hostile.method,
        body_limit=BODY_LIMIT,
        deadline_s=_deadline_s(hostile),
    )
    return (await follow(connections, ask))[0].body


async def _by_httpx(connections: Connections, url: str, hostile: Hostile) -> bytes:
    with our_errors():
        response = await asked(
            connections,
            url,
            method=hostile.method,
            body_limit=BODY_LIMIT,
            deadline_s=_deadline_s(hostile),
        )
    return response.content


def _deadline_s(hostile: Hostile) -> float:
    return _DEADLINE_S if hostile.refused == "deadline" else PATIENCE_S


async def _outcome(reading: Awaitable[bytes]) -> bytes | str:
    try:
        return await reading
    except TransportError as exc:
        return exc.code


async def _wrong_answers(
    connections: Connections, server: HostileServer, wave: str
) -> list[bytes]:
    paths = [f"honest-{wave}-{number}" for number in range(8)]
    answers = await asyncio.gather(
        *(asked(connections, f"{server.origin}/{path}") for path in paths)
    )
    bodies = [answer.content for answer in answers]
    return [
        body for body, path in zip(bodies, paths, strict=True) if body != path.encode()
    ]


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("way", [_by_follow, _by_httpx])
@pytest.mark.parametrize("hostile", HOSTILE, ids=_id)
async def test_a_hostile_answer_is_judged_and_harms_no_other(
    hostile: Hostile,
    way: Callable[[Connections, str, Hostile], Awaitable[bytes]],
) -> None:
    async with (
        hostile_server() as server,
        open_until_done(Connections(connections=8)) as connections,
    ):
        await _wrong_answers(connections, server, "before")
        sent_before, peak_before = server.sent_bytes, _peak_bytes()

        url = f"{server.origin}/{hostile.name}"
        outcome = await _outcome(way(connections, url, hostile))
        if hostile.late:
            await wait_until(lambda: hostile.name in server.ended, "the stray was sent")
        wrong = [
            body
            for wave in ("one", "two", "three")
            for body in await _wrong_answers(connections, server, wave)
        ]

        assert outcome == (hostile.refused or hostile.given)
        assert wrong == []
        # What fits into the buffers of two sockets; no more was asked for.
        assert server.sent_bytes - sent_before < 24 * 2**20
        assert _peak_bytes() - peak_before < 32 * 2**20


async def test_a_body_to_the_end_of_the_connection_says_that_it_is_unproven() -> None:
    async with (
        hostile_server() as server,
        open_until_done(Connections()) as connections,
    ):
        response = await asked(connections, f"{server.origin}/to-close")

        assert response.content == b"hi"
        assert response.extensions["framing"] == "close"


async def test_a_range_that_was_ignored_is_seen_without_reading_the_body() -> None:
    async with (
        hostile_server() as server,
        open_until_done(Connections()) as connections,
    ):
        ask = a_request(
            f"{server.origin}/five-gibibytes",
            headers=(("Range", "bytes=0-7"),),
            body_limit=8,
        )

        answer, _ = await follow(connections, ask)

        assert answer.status == 200
        assert (b"Content-Length", b"5368709120") in answer.fields
        assert answer.over_budget
