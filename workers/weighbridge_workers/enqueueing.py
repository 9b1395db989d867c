"""How a scheduler enqueues: as everybody hands work over, and not as Celery would.

A message that is to be dropped after a while is dropped by the clock of the machine it
comes to: a worker whose clock is ahead would drop each. Here the next one is sent once
the last was taken, or by Redis' clock some time later; a second scheduler adds nothing.
"""

from functools import cached_property

from celery.beat import ScheduleEntry, Scheduler

from weighbridge.domain.text.secret import Secret
from weighbridge.jobs.redis.over_celery import CeleryJobs


class EnqueueingScheduler(Scheduler):
    """Celery's scheduler in memory; only the sending is ours."""

    @cached_property
    def _jobs(self) -> CeleryJobs:
        return CeleryJobs(Secret(self.app.conf.broker_url))

    def apply_async(
        self, entry: ScheduleEntry, *_: object, advance: bool = True, **__: object
    ) -> None:
        """Send what an entry says. Never fails: what is lost is sent at the next
        beat."""
        if advance:
            self.reserve(entry)
        if entry.task is not None:
            self._jobs.put(entry.task, "")

    def close(self) -> None:
        """Close every connection."""
        super().close()
        self._jobs.close()
