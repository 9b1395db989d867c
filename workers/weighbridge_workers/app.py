"""The Celery application: `python -m celery -A weighbridge_workers.app worker`.

Settings come from where every command finds them: WEIGHBRIDGE_CONFIG, or the usual
places; `weighbridge worker` and `weighbridge scheduler` hand theirs over.
"""

import os
from functools import cached_property
from typing import Any

from celery import Celery, Task

from weighbridge import collector
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.jobs.redis.over_celery import CeleryJobs
from weighbridge.ports.protocols import JobQueue
from weighbridge_workers.configuration import configuration
from weighbridge_workers.process import Process
from weighbridge_workers.workarounds import AskedControl, QuickAMQP, ShortEvents

collector.relax()


class Application(Celery):
    """Reads its settings once something asks for them; tests give it others before."""

    @cached_property
    def process(self) -> Process:
        """What does the jobs: of this process, and of the pool's, its copies. Raises
        UsageError(no_redis), and what `load_settings` raises."""
        return Process(load_settings(None, os.environ, KINDS))

    @cached_property
    def jobs(self) -> JobQueue:
        """Where its tasks are handed over."""
        return CeleryJobs(self.process.redis_url)


class JobTask(Task[Any, Any]):
    """Is handed over as everybody hands work over, and not as Celery would.

    A message that is to be dropped after a while is dropped by the clock of the machine
    it comes to: a worker whose clock is ahead would drop each. Here the next one is
    sent once the last was taken, or by Redis' clock some time later; so a second
    scheduler adds nothing, nor does one without workers.
    """

    Request = "weighbridge_workers.workarounds:ConfirmedRequest"

    def apply_async(
        self, args: tuple[str, ...] | None = None, *_: Any, **__: Any
    ) -> Any:  # as Celery's own
        """Send it. Never fails: what is lost is sent again at the next beat."""
        (argument,) = args or ("",)
        app.jobs.put(self.name, argument)


app = Application(
    "weighbridge",
    task_cls=JobTask,
    amqp=QuickAMQP,
    control=AskedControl,
    events=ShortEvents,
    fixups=[],
    include=["weighbridge_workers.tasks", "weighbridge_workers.signals"],
)
app.add_defaults(lambda: configuration(app.process.redis_url))
# The processes of a pool are copies of this one.
collector.keep_loaded()
