"""What Celery tells a worker of its life, and what is done about it."""

import logging
import os
from contextlib import suppress
from functools import cache
from typing import Protocol

from billiard import active_children
from celery import signals

from weighbridge import logs, process_memory
from weighbridge.jobs.redis.worker_register import DROPPED, UNKNOWN, WorkerRegister
from weighbridge_workers.app import app
from weighbridge_workers.process import EXIT_CODE
from weighbridge_workers.watchdog import Watchdog, canary_queue

_watching: list[Watchdog] = []


class _Consumer(Protocol):
    """What we use of the part of Celery that takes messages."""

    hostname: str

    def add_task_queue(self, queue: str, **options: object) -> None:
        """Take from this queue too, also after Redis was away."""


@signals.setup_logging.connect
def log_as_every_command(**_: object) -> None:
    """Lines of the configured form, and none for each message that is done."""
    settings = app.process.settings
    logs.configure(settings.log_format, settings.log_level)
    for name in ("celery.worker.strategy", "celery.app.trace", "celery.beat"):
        logging.getLogger(name).setLevel(logging.WARNING)


@signals.worker_ready.connect
def watch(sender: _Consumer, **_: object) -> None:
    """Begin to watch this worker."""
    if _watching:
        return  # It is ready again after Redis was away.
    process = app.process
    worker = f"{sender.hostname}.{os.getpid()}"
    sender.add_task_queue(canary_queue(worker), auto_delete=True, durable=False)
    watchdog = Watchdog(
        process.redis_url, process.memory, worker=worker, give_up=_give_up
    )
    _watching.append(watchdog)
    watchdog.start()


@signals.worker_process_init.connect
def keep_small(**_: object) -> None:
    """A process of the pool begins; a thread is not copied with its parent."""
    process_memory.collect_now_and_then()


@signals.worker_shutting_down.connect
def tell_the_pool(**_: object) -> None:
    """Only the worker itself is told to stop."""
    app.process.memory.note_stop()


@signals.worker_process_shutdown.connect
def close(**_: object) -> None:
    """A process of the pool ends."""
    app.process.close()


@signals.worker_shutdown.connect
def end(**_: object) -> None:
    """The worker has ended."""
    for watchdog in _watching:
        watchdog.close()
    app.process.close()


@signals.task_rejected.connect
def count_garbage(**_: object) -> None:
    """A message was dropped that is none of ours."""
    with suppress(OSError):
        _register().count((DROPPED, UNKNOWN, "malformed_job"))


@cache
def _register() -> WorkerRegister:
    return WorkerRegister(app.process.redis_url)


def _give_up() -> None:
    """End at once, with the pool: who takes no work cannot end it in order either."""
    for child in active_children():
        child.terminate()
    os._exit(EXIT_CODE)
