"""Answers and requests stay together although the server sends answers too many."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from support.asking import asked, open_until_done
from support.hostile_server import STRAY, with_length
from support.listening import listening
from weighbridge.net.connections import Connections, PoolRules

_REQUESTS = 3_000
_IN_FLIGHT = 16
_SAFE = PoolRules(connections=_IN_FLIGHT)
_NO_REST = PoolRules(connections=_IN_FLIGHT, rest_s=0.0)
_NO_DISTRUST = PoolRules(connections=_IN_FLIGHT, distrust_s=0.0)
_NEITHER = PoolRules(connections=_IN_FLIGHT, rest_s=0.0, distrust_s=0.0)


@dataclass(slots=True)
class _Result:
    """wrong_after_a_sign: of the wrong ones, those asked after the first desync."""

    right: int = 0
    wrong: int = 0
    wrong_after_a_sign: int = 0
    failed: int = 0


Strays = Callable[[random.Random, asyncio.StreamWriter], None]


def _mixed(chance: random.Random, writer: asyncio.StreamWriter) -> None:
    """9 % of answers have a second one: at once, in the next write, or later."""
    drawn = chance.random()
    if drawn < 0.03:
        writer.write(STRAY)
    elif drawn < 0.06:
        asyncio.get_running_loop().call_soon(_write_if_open, writer)
    elif drawn < 0.09:
        _later(chance, writer)


def _late(chance: random.Random, writer: asyncio.StreamWriter) -> None:
    """9 % of answers have a second one up to 3 ms later."""
    if chance.random() < 0.09:
        _later(chance, writer)


def _later_than_a_rest(chance: random.Random, writer: asyncio.StreamWriter) -> None:
    """9 % of answers have a second one up to 20 ms later, four times the rest."""
    if chance.random() < 0.09:
        _later(chance, writer, within_s=0.02)


def _later(
    chance: random.Random, writer: asyncio.StreamWriter, within_s: float = 0.003
) -> None:
    delay_s = chance.random() * within_s
    asyncio.get_running_loop().call_later(delay_s, _write_if_open, writer)


def _write_if_open(writer: asyncio.StreamWriter) -> None:
    if not writer.is_closing():
        writer.write(STRAY)


@asynccontextmanager
async def _straying_server(strays: Strays) -> AsyncIterator[str]:
    chance = random.Random(20260)  # noqa: S311 - a load that repeats

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(chance.random() * 0.002)
            writer.write(with_length(head.split(b" ")[1]))
            strays(chance, writer)

    async with listening(serve) as port:
        yield f"http://127.0.0.1:{port}"


async def _load(rules: PoolRules, strays: Strays) -> tuple[_Result, list[str]]:
    result = _Result()
    desyncs: list[str] = []
    numbers = iter(range(_REQUESTS))

    async def work(connections: Connections, origin: str) -> None:
        for number in numbers:
            warned = bool(desyncs)
            try:
                response = await asked(connections, f"{origin}/{number}")
            except httpx.RequestError:
                result.failed += 1
                continue
            if response.content == b"/%d" % number:
                result.right += 1
            else:
                result.wrong += 1
                result.wrong_after_a_sign += warned

    async with (
        _straying_server(strays) as origin,
        open_until_done(
            Connections(rules=rules, on_desync=desyncs.append)
        ) as connections,
    ):
        await asyncio.gather(*(work(connections, origin) for _ in range(_IN_FLIGHT)))
    return result, desyncs


@pytest.mark.parametrize("strays", [_mixed, _late])
async def test_no_request_gets_an_answer_that_is_not_its_own(strays: Strays) -> None:
    result, desyncs = await _load(_SAFE, strays)

    assert result.wrong_after_a_sign == 0
    # On a machine that stalls, the very first stray may come after the next request
    # was sent. No HTTP/1.1 client can tell that one from the right answer.
    assert result.wrong <= 1
    assert result.right + result.wrong == _REQUESTS
    assert desyncs
    assert all(origin.startswith("http://127.0.0.1:") for origin in desyncs)


@pytest.mark.parametrize("strays", [_mixed, _late])
async def test_without_rest_and_distrust_answers_are_mixed_up(strays: Strays) -> None:
    """The test above proves nothing unless this load can mix them up."""
    result, _ = await _load(_NEITHER, strays)

    assert result.wrong > _REQUESTS / 20


async def test_without_rest_answers_are_mixed_up_until_the_first_sign() -> None:
    """The rest is needed: with distrust alone the first test would fail."""
    result, _ = await _load(_NO_REST, _late)

    assert result.wrong > 1
    assert result.wrong_after_a_sign == 0


async def test_without_distrust_answers_are_mixed_up_after_a_sign() -> None:
    """Distrust is needed: the rest alone does not outlast every second answer."""
    distrusting, _ = await _load(_SAFE, _later_than_a_rest)
    trusting, _ = await _load(_NO_DISTRUST, _later_than_a_rest)

    assert distrusting.wrong_after_a_sign == 0
    assert trusting.wrong_after_a_sign > 1
