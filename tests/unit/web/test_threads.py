"""The threads on which requests ask the database: how many, and how long."""

import asyncio
import threading
import time

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from weighbridge.errors import StoreError
from weighbridge.store.connection import deadlines
from weighbridge.web.request.threads import Threads


class Hanging:
    """A call that comes back when told."""

    def __init__(self) -> None:
        self.calls = 0
        self.go_on = threading.Event()

    def __call__(self) -> int:
        self.calls += 1
        assert self.go_on.wait(60)
        return self.calls


async def test_a_call_gives_what_it_returns_and_raises_what_it_raises() -> None:
    def fail() -> None:
        raise StoreError("away", code="database_busy")

    assert await Threads().run(lambda: 7) == 7
    with pytest.raises(StoreError) as failed:
        await Threads().run(fail)
    assert failed.value.code == "database_busy"


async def test_a_call_that_hangs_is_answered_for_in_time() -> None:
    hanging = Hanging()
    began = time.monotonic()

    with pytest.raises(StoreError) as failed:
        await Threads(answer_s=0.1).run(hanging)
    hanging.go_on.set()

    assert failed.value.code == "database_unavailable"
    assert time.monotonic() - began < 5


async def test_more_calls_than_threads_wait_no_longer_and_never_begin() -> None:
    hanging = Hanging()
    threads = Threads(2, answer_s=0.1)

    ended = await asyncio.gather(
        *(threads.run(hanging) for _ in range(6)), return_exceptions=True
    )
    hanging.go_on.set()
    after = await threads.run(lambda: 1)

    assert [type(each) for each in ended] == [StoreError] * 6
    assert (hanging.calls, after) == (2, 1)


async def test_a_call_is_told_how_long_the_database_may_take() -> None:
    assert await Threads(database_s=3.0).run(deadlines.call_s) == 3.0


async def test_a_plain_handler_waits_for_a_thread() -> None:
    def handler(request: Request, name: str) -> Response:
        return PlainTextResponse(f"{name} {threading.current_thread().name}")

    async def other(request: Request) -> Response:
        return PlainTextResponse("")

    threads = Threads()

    assert threads.answering(other) is other
    answer = await threads.answering(handler)(None, name="x")
    assert bytes(answer.body).startswith(b"x weighbridge-web")
