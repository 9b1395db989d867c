"""A scheduler rings as everybody hands work over."""

from functools import cached_property

from support.fake_jobs import FakeJobs
from weighbridge.config import load_settings
from weighbridge.ports.job_names import DELIVER, SETTLE, TICK
from weighbridge_workers.enqueueing import EnqueueingScheduler
from weighbridge_workers.making import make_app


class Heard(EnqueueingScheduler):
    """One whose bells can be counted."""

    @cached_property
    def _jobs(self) -> FakeJobs:  # type: ignore[override] # a fake of the same port
        return FakeJobs()

    @property
    def asked(self) -> list[tuple[str, str]]:
        return self._jobs.asked


def test_f30_each_entry_of_the_schedule_is_one_job_of_the_queue() -> None:
    environ = {"WEIGHBRIDGE_REDIS_URL": "redis://127.0.0.1:1/0"}
    ringing = Heard(make_app(load_settings(None, environ)))

    for entry in ringing.schedule.values():
        ringing.apply_async(entry)

    assert sorted(ringing.asked) == [(DELIVER, ""), (SETTLE, ""), (TICK, "")]
