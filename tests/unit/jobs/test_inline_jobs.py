"""Jobs on a thread of their own: nothing that one does ends the others."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from weighbridge.errors import StoreError
from weighbridge.jobs.inline import AT_ONCE, Handler, InlineJobs
from weighbridge.jobs.names import CRAWL, PUSH

WAIT_S = 10.0


@contextmanager
def running(handler: Handler) -> Iterator[InlineJobs]:
    jobs = InlineJobs({"job": handler})
    jobs.start()
    try:
        yield jobs
    finally:
        jobs.close()


@pytest.mark.parametrize(
    "fault",
    [
        StoreError("the disk is full", code="disk_full"),
        ValueError("a bug"),
        asyncio.CancelledError(),
    ],
    ids=repr,
)
def test_the_next_job_is_done_whatever_ended_the_last(fault: BaseException) -> None:
    done = threading.Event()

    async def handle(argument: str) -> None:
        if argument == "first":
            raise fault
        done.set()

    with running(handle) as jobs:
        jobs.put("job", "first")
        jobs.put("job", "second")

        assert done.wait(WAIT_S)


def test_closing_cancels_the_job_and_what_it_left_behind() -> None:
    begun = threading.Event()
    ended: list[str] = []
    left: list[asyncio.Task[None]] = []

    async def forever(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    async def handle(argument: str) -> None:
        left.append(asyncio.create_task(forever("left behind")))
        await asyncio.sleep(0)
        begun.set()
        await forever(argument)

    with running(handle) as jobs:
        jobs.put("job", "the job")
        assert begun.wait(WAIT_S)

    assert sorted(ended) == ["left behind", "the job"]
    assert left[0].cancelled()


def test_a_job_that_hangs_holds_up_no_other() -> None:
    done = threading.Event()

    async def handle(argument: str) -> None:
        if argument == "slow":
            await asyncio.Event().wait()
        done.set()

    with running(handle) as jobs:
        jobs.put("job", "slow")
        jobs.put("job", "quick")

        assert done.wait(WAIT_S)


def test_a_job_that_runs_is_not_begun_a_second_time() -> None:
    begun: list[str] = []
    first, last = threading.Event(), threading.Event()

    async def handle(argument: str) -> None:
        begun.append(argument)
        if argument == "last":
            last.set()
            return
        first.set()
        await asyncio.Event().wait()

    with running(handle) as jobs:
        jobs.put("job", "same")
        assert first.wait(WAIT_S)
        jobs.put("job", "same")
        jobs.put("job", "last")
        assert last.wait(WAIT_S)

    assert begun == ["same", "last"]


def test_what_is_urgent_waits_for_no_long_job() -> None:
    done = threading.Event()

    async def crawl(_: str) -> None:
        await asyncio.Event().wait()

    async def look(_: str) -> None:
        done.set()

    jobs = InlineJobs({CRAWL: crawl, PUSH: look})
    jobs.start()
    try:
        for number in range(2 * AT_ONCE):
            jobs.put(CRAWL, f"registry {number}")
        jobs.put(PUSH, "registry/repository", first=True)

        assert done.wait(WAIT_S)
    finally:
        jobs.close()


def test_what_is_urgent_is_done_again_where_it_was_asked_for_meanwhile() -> None:
    begun = threading.Event()
    again = threading.Event()
    may_end = threading.Event()

    async def look(_: str) -> None:
        if begun.is_set():
            again.set()
        begun.set()
        await asyncio.to_thread(may_end.wait, WAIT_S)

    jobs = InlineJobs({PUSH: look})
    jobs.start()
    try:
        jobs.put(PUSH, "registry/repository", first=True)
        assert begun.wait(WAIT_S)
        jobs.put(PUSH, "registry/repository", first=True)
        jobs.put(PUSH, "registry/repository", first=True)
        may_end.set()

        assert again.wait(WAIT_S)
    finally:
        jobs.close()


def test_what_jobs_have_opened_is_closed_on_their_loop() -> None:
    threads: list[str] = []

    async def note() -> None:
        threads.append(threading.current_thread().name)

    jobs = InlineJobs({}, at_end=note)
    jobs.start()
    jobs.close()

    assert threads == ["weighbridge-jobs"]
