"""Celery's own scheduler enqueues as everybody hands work over."""

from collections.abc import Iterator

import pytest
from celery.beat import Scheduler

from support.fake_jobs import FakeJobs
from weighbridge.ports.job_names import DELIVER, SETTLE, TICK
from weighbridge_workers.app import Application


@pytest.fixture
def jobs(app: Application) -> Iterator[FakeJobs]:
    fake = FakeJobs()
    app.jobs = fake
    yield fake
    del app.jobs


def test_f30_each_entry_of_the_schedule_is_one_job_of_the_queue(
    app: Application, jobs: FakeJobs
) -> None:
    scheduler = Scheduler(app)

    for entry in scheduler.schedule.values():
        scheduler.apply_async(entry)

    assert sorted(jobs.asked) == [(DELIVER, ""), (SETTLE, ""), (TICK, "")]
