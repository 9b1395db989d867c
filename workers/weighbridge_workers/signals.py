"""What Celery tells a worker of its life, and what is done about it."""

import logging
import os
from contextlib import suppress
from typing import Protocol

from billiard import active_children
from celery import signals

from weighbridge import logs
from weighbridge.config import Settings
from weighbridge.domain.text.secret import Secret
from weighbridge.jobs.redis.worker_register import DROPPED, UNKNOWN, WorkerRegister
from weighbridge_workers.overrides import bound_last_words
from weighbridge_workers.process import Process
from weighbridge_workers.watchdog import EXIT_CODE, Watchdog, canary_queue


class _Consumer(Protocol):
    """What we use of the part of Celery that takes messages."""

    hostname: str

    def add_task_queue(self, queue: str, **options: object) -> None:
        """Take from this queue too, also after Redis was away."""


def connect(settings: Settings, redis_url: Secret, process: Process) -> None:
    """Log as every other command does, pass a stop on, watch, close what is open."""
    watching: list[Watchdog] = []
    register = WorkerRegister(redis_url)
    bound_last_words()

    def set_up_logging(**_: object) -> None:
        logs.configure(settings.log_format, settings.log_level)
        # A line for each message that is sent, that comes and that is done.
        for name in ("celery.worker.strategy", "celery.app.trace", "celery.beat"):
            logging.getLogger(name).setLevel(logging.WARNING)

    def watch(sender: _Consumer, **_: object) -> None:
        if watching:
            return  # It is ready again after Redis was away.
        worker = f"{sender.hostname}.{os.getpid()}"
        sender.add_task_queue(canary_queue(worker), auto_delete=True, durable=False)
        watchdog = Watchdog(redis_url, process.memory, worker=worker, give_up=_give_up)
        watching.append(watchdog)
        watchdog.start()

    def stop(**_: object) -> None:
        process.memory.note_stop()

    def close(**_: object) -> None:
        process.close()

    def end(**_: object) -> None:
        for watchdog in watching:
            watchdog.close()
        process.close()
        register.close()

    def count_garbage(**_: object) -> None:
        with suppress(OSError):
            register.count((DROPPED, UNKNOWN, "malformed_job"))

    signals.setup_logging.connect(set_up_logging, weak=False)
    signals.worker_ready.connect(watch, weak=False)
    signals.worker_shutting_down.connect(stop, weak=False)
    signals.worker_process_shutdown.connect(close, weak=False)
    signals.worker_shutdown.connect(end, weak=False)
    signals.task_rejected.connect(count_garbage, weak=False)


def _give_up() -> None:
    """End at once, with the pool: who takes no work cannot end it in order either."""
    for child in active_children():
        child.terminate()
    os._exit(EXIT_CODE)
