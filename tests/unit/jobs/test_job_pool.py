"""Jobs of one event loop: nothing that one does ends the others, and registries have
their turns."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
import structlog

from support.wait import wait_until
from weighbridge.errors import StoreError
from weighbridge.jobs.in_process.job_pool import AT_ONCE, Handler, InlineJobs, JobPool
from weighbridge.ports.job_names import CRAWL, DISCOVER, PUSH
from weighbridge.ports.protocols import JobQueue

WAIT_S = 10.0


@asynccontextmanager
async def running(handlers: Mapping[str, Handler]) -> AsyncIterator[JobPool]:
    pool = JobPool()
    pool.start(handlers)
    try:
        async with asyncio.timeout(WAIT_S):
            yield pool
    finally:
        await pool.aclose()


async def is_done(pool: JobPool) -> None:
    await wait_until(lambda: pool.is_idle, "all jobs are done")


@pytest.mark.parametrize(
    "fault",
    [
        StoreError("the disk is full", code="disk_full"),
        ValueError("a bug"),
        asyncio.CancelledError(),
    ],
    ids=repr,
)
async def test_the_next_job_is_done_whatever_ended_the_last(
    fault: BaseException,
) -> None:
    done = asyncio.Event()

    async def handle(argument: str) -> None:
        if argument == "first":
            raise fault
        done.set()

    async with running({"job": handle}) as pool:
        pool.put("job", "first")
        pool.put("job", "second")
        await done.wait()


@pytest.mark.parametrize(
    ("is_from_outside", "failed"), [(True, []), (False, ["job failed"])]
)
async def test_a_job_that_is_cancelled_from_outside_has_not_failed(
    is_from_outside: bool, failed: list[str]
) -> None:
    begun: asyncio.Future[asyncio.Task[object] | None] = asyncio.Future()

    async def handle(_: str) -> None:
        begun.set_result(asyncio.current_task())
        if not is_from_outside:
            raise asyncio.CancelledError
        await asyncio.Event().wait()

    with structlog.testing.capture_logs() as lines:
        async with running({"job": handle}) as pool:
            pool.put("job", "")
            task = await begun
            assert task is not None
            if is_from_outside:
                task.cancel()
            await is_done(pool)

    assert [line["event"] for line in lines] == failed


async def test_a_job_that_hangs_holds_up_no_other() -> None:
    done = asyncio.Event()

    async def handle(argument: str) -> None:
        if argument == "slow":
            await asyncio.Event().wait()
        done.set()

    async with running({"job": handle}) as pool:
        pool.put("job", "slow")
        pool.put("job", "quick")
        await done.wait()


async def test_a_job_that_is_asked_for_while_it_runs_is_done_once_more() -> None:
    begun: list[str] = []
    may_end = asyncio.Event()

    async def handle(argument: str) -> None:
        begun.append(argument)
        await may_end.wait()

    async with running({"job": handle}) as pool:
        pool.put("job", "same")
        await asyncio.sleep(0)
        for _ in range(3):
            pool.put("job", "same")
        assert begun == ["same"]
        may_end.set()
        await is_done(pool)

    assert begun == ["same", "same"]


async def test_a_job_that_waits_is_asked_for_once() -> None:
    begun: list[str] = []

    async def handle(argument: str) -> None:
        begun.append(argument)

    pool = JobPool()
    for _ in range(3):
        pool.put("job", "same")
    pool.start({"job": handle})
    await is_done(pool)

    assert begun == ["same"]


async def test_what_is_urgent_waits_for_no_long_job() -> None:
    done = asyncio.Event()

    async def crawl(_: str) -> None:
        await asyncio.Event().wait()

    async def look(_: str) -> None:
        done.set()

    async with running({CRAWL: crawl, PUSH: look}) as pool:
        for number in range(2 * AT_ONCE):
            pool.put(CRAWL, f"registry{number}")
        pool.put(PUSH, "registry/repository", first=True)
        await done.wait()


async def test_a_registry_has_no_more_than_its_share_while_others_wait() -> None:
    """Four slow registries and many jobs of each: a fifth is begun at once."""
    begun: list[str] = []

    async def hang(argument: str) -> None:
        begun.append(argument)
        await asyncio.Event().wait()

    async with running({CRAWL: hang}) as pool:
        pool.put(CRAWL, "fast/app")
        for number in range(AT_ONCE):
            for slow in ("a", "b", "c", "d"):
                pool.put(CRAWL, f"{slow}/{number}")
        await asyncio.sleep(0)

    counts = {name: sum(b.startswith(f"{name}/") for b in begun) for name in "abcd"}
    assert "fast/app" in begun
    assert max(counts.values()) <= AT_ONCE // 4
    assert len(begun) <= AT_ONCE


async def test_registries_are_served_in_turn() -> None:
    begun: list[str] = []

    async def handle(argument: str) -> None:
        begun.append(argument)
        await asyncio.sleep(0)

    pool = JobPool()
    for number in range(3):
        for name in ("a", "b"):
            pool.put(CRAWL, f"{name}/{number}")
    pool.put(DISCOVER, "c")
    pool.start({CRAWL: handle, DISCOVER: handle})
    await is_done(pool)

    assert begun[:3] == ["a/0", "b/0", "c"]


async def test_closing_cancels_what_runs_and_drops_what_waits() -> None:
    ended: list[str] = []

    async def handle(argument: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(argument)

    async with running({"job": handle}) as pool:
        for number in range(AT_ONCE + 5):
            pool.put("job", f"{number}")
        await asyncio.sleep(0)

    assert len(ended) == AT_ONCE
    pool.put("job", "late")
    assert pool.is_idle or len(ended) == AT_ONCE


def test_jobs_of_a_thread_are_done_by_what_was_opened_on_it() -> None:
    done = threading.Event()
    threads: list[str] = []

    @asynccontextmanager
    async def working(jobs: JobQueue) -> AsyncIterator[Mapping[str, Handler]]:
        async def first(_: str) -> None:
            jobs.put("second", "")

        async def second(_: str) -> None:
            threads.append(threading.current_thread().name)
            done.set()

        try:
            yield {"first": first, "second": second}
        finally:
            threads.append(threading.current_thread().name)

    jobs = InlineJobs(working)
    jobs.put("first", "")
    jobs.start()
    try:
        assert done.wait(WAIT_S)
    finally:
        jobs.close()

    assert threads == ["weighbridge-jobs", "weighbridge-jobs"]
