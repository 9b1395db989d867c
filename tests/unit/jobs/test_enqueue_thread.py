"""Jobs are enqueued by a thread, so that nobody who asks for one waits."""

import threading
from collections.abc import Iterator

import pytest

from support.fake_jobs import FakeJobs
from support.wait import wait_in_thread
from weighbridge.jobs.redis.over_celery import MOST_WAITING, EnqueueThread
from weighbridge.ports.job_names import PUSH


class SlowJobs(FakeJobs):
    """Waits for the test before it takes anything."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()
        self.first: list[bool] = []

    def put(self, job: str, argument: str, *, first: bool = False) -> None:
        assert self.may_go_on.wait(60)
        self.first.append(first)
        super().put(job, argument)


@pytest.fixture
def jobs() -> SlowJobs:
    return SlowJobs()


@pytest.fixture
def thread(jobs: SlowJobs) -> Iterator[EnqueueThread]:
    made = EnqueueThread(jobs)
    made.start()
    yield made
    jobs.may_go_on.set()
    made.close()


def test_whoever_enqueues_goes_on_at_once(
    thread: EnqueueThread, jobs: SlowJobs
) -> None:
    for name in ("a/one", "a/two", "a/two"):
        thread.put(PUSH, name, first=True)

    assert jobs.asked == []
    jobs.may_go_on.set()
    wait_in_thread(lambda: len(jobs.asked) == 2, "both are asked for")
    assert sorted(jobs.of(PUSH)) == ["a/one", "a/two"]
    assert jobs.first == [True, True]


def test_what_waits_takes_so_much_memory_and_no_more(
    thread: EnqueueThread, jobs: SlowJobs
) -> None:
    for number in range(MOST_WAITING + 10):
        thread.put(PUSH, f"a/{number}")
    jobs.may_go_on.set()
    thread.close()

    assert MOST_WAITING <= len(jobs.asked) <= MOST_WAITING + 1


def test_a_thread_that_is_closed_has_enqueued_everything(jobs: SlowJobs) -> None:
    thread = EnqueueThread(jobs)
    jobs.may_go_on.set()
    thread.put(PUSH, "a/one")
    thread.start()
    thread.close()

    assert jobs.of(PUSH) == ["a/one"]


def test_one_that_cannot_be_asked_for_does_not_cost_the_others() -> None:
    class Broken(FakeJobs):
        def put(self, job: str, argument: str, *, first: bool = False) -> None:
            if argument == "a/one":
                raise ZeroDivisionError
            super().put(job, argument)

    jobs = Broken()
    thread = EnqueueThread(jobs)
    thread.start()

    thread.put(PUSH, "a/one")
    thread.put(PUSH, "a/two")

    wait_in_thread(lambda: jobs.of(PUSH) == ["a/two"], "the other is asked for")
    thread.close()
