"""The Celery application: `python -m celery -A weighbridge_workers.app worker`. What it
is told, and how its tasks are handed over.

Of its settings none of Celery's defaults is good enough here. The database knows what
is due and who does it. A message only says that there may be something to do: it may
come twice, or be lost.

Settings come from where every command finds them: WEIGHBRIDGE_CONFIG, or the usual
places; `weighbridge worker` and `weighbridge scheduler` hand theirs over.
"""

import os
from functools import cached_property
from typing import Any, Final

from celery import Celery, Task
from celery.schedules import schedule
from kombu import Queue

from weighbridge import process_memory
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.domain.text.printable import Secret
from weighbridge.jobs.redis.broker import (
    HARD_LIMIT_S,
    PRIORITIES,
    SOFT_LIMIT_S,
    VISIBILITY_S,
    tls,
)
from weighbridge.jobs.redis.over_celery import CeleryJobs
from weighbridge.ports.job_names import (
    DELIVER,
    QUEUE_OF,
    QUEUES,
    SETTLE,
    TICK,
)
from weighbridge.ports.protocols import JobQueue
from weighbridge_workers.process import Process
from weighbridge_workers.workarounds import (
    AskedControl,
    QuickAMQP,
    ShortEvents,
    unmoved_now,
)

process_memory.prepare()

TICK_S: Final = 10.0
SETTLE_S: Final = 5.0
DELIVER_S: Final = 30.0
_CHILD_KIB: Final = 512 * 1024
_SOCKET_S: Final = 5.0


def configuration(redis_url: Secret) -> dict[str, object]:
    """Celery's settings."""
    return {**_messages(), **_worker(), **_connection(redis_url), **_schedule()}


def _messages() -> dict[str, object]:
    return {
        # Whoever can write to Redis could run code by a pickled message.
        "accept_content": ["json"],
        "task_serializer": "json",
        "result_accept_content": ["json"],
        # Results would be read back, and nobody wants them.
        "result_backend": None,
        "task_ignore_result": True,
        "task_queues": [Queue(name) for name in QUEUES],
        "task_default_queue": "crawl",
        "task_routes": {name: {"queue": queue} for name, queue in QUEUE_OF.items()},
        # A scheduler that cannot send now sends again at its next beat.
        "task_publish_retry": False,
    }


def _worker() -> dict[str, object]:
    return {
        # A worker that is killed has not confirmed its message, and others have it.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        # Of a process that was killed a late answer would be no loss: the database
        # says what was done. So its message goes back soon (see `tasks` for which).
        "worker_lost_wait": 1.0,
        # What waits in one worker's hands cannot be done by another.
        "worker_prefetch_multiplier": 1,
        "task_soft_time_limit": SOFT_LIMIT_S,
        "task_time_limit": HARD_LIMIT_S,
        "worker_soft_shutdown_timeout": 25.0,
        "worker_max_memory_per_child": _CHILD_KIB,
        "worker_pool": "weighbridge_workers.workarounds:HearingPool",
        # `celery inspect` and Flower; of commands, `workarounds.ALLOWED` are taken.
        "worker_enable_remote_control": True,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
    }


def _connection(redis_url: Secret) -> dict[str, object]:
    return {
        "broker_url": redis_url.reveal(),
        # What stands in Redis ends no worker.
        "broker_transport": "weighbridge_workers.workarounds:RedisTransport",
        "broker_channel_error_retry": True,
        "broker_use_ssl": tls(redis_url),
        "broker_connection_retry_on_startup": True,
        # 100 tries would be all else, and a worker without a broker then ends.
        "broker_connection_max_retries": None,
        "broker_transport_options": {
            "visibility_timeout": VISIBILITY_S,
            # Without these two a killed worker's message comes back 100 s too late.
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_timeout": _SOCKET_S,
            "socket_connect_timeout": _SOCKET_S,
            "socket_keepalive": True,
            "health_check_interval": 10,
            # The order of QUEUES, and not each in turn.
            "queue_order_strategy": "priority",
            "priority_steps": PRIORITIES,
        },
    }


def _schedule() -> dict[str, object]:
    return {
        # In memory: what was done when stands in the database.
        "beat_scheduler": "weighbridge_workers.beat:NotifyingScheduler",
        "beat_max_loop_interval": SETTLE_S,
        "beat_schedule": {
            "tick": {"task": TICK, "schedule": _every(TICK_S)},
            "settle": {"task": SETTLE, "schedule": _every(SETTLE_S)},
            "deliver": {"task": DELIVER, "schedule": _every(DELIVER_S)},
        },
    }


def _every(seconds: float) -> schedule:
    return schedule(seconds, nowfun=unmoved_now)


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
process_memory.keep_loaded()
