"""One loop for a process, whichever of its threads ask."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from weighbridge_workers.process import LoopThread


async def running_loop() -> int:
    return id(asyncio.get_running_loop())


def test_all_threads_have_the_same_loop() -> None:
    loop = LoopThread()
    try:
        with ThreadPoolExecutor(4) as pool:
            seen = set(pool.map(lambda _: loop.run(running_loop()), range(8)))
    finally:
        loop.close()

    assert len(seen) == 1


def test_an_error_comes_back_to_who_asked() -> None:
    async def fail() -> None:
        raise ValueError("no")

    loop = LoopThread()
    try:
        with pytest.raises(ValueError, match="no"):
            loop.run(fail())
    finally:
        loop.close()


def test_what_runs_at_the_end_is_cancelled() -> None:
    ended = []

    async def run_on() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    async def begin() -> "asyncio.Task[None]":
        task = asyncio.create_task(run_on())
        await asyncio.sleep(0)
        return task

    loop = LoopThread()
    task = loop.run(begin())
    loop.close()

    assert ended == [True]
    assert task.cancelled()
