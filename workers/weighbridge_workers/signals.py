"""What Celery tells a worker of its life, and what is done about it; one that is
connected and does nothing is ended, so that it is started anew.

Celery's consumer has more than once stayed connected to Redis without taking messages
any more. Its process then lives, and nothing but a message of its own that nobody
answers shows it.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Final, Protocol

import structlog
from billiard import active_children
from celery import signals

from weighbridge import logs, process_memory
from weighbridge.domain.text.printable import Secret
from weighbridge.jobs.redis.over_celery import CeleryJobs
from weighbridge.jobs.redis.worker_register import DROPPED, UNKNOWN, WorkerRegister
from weighbridge.jobs.worker_processes import PARENT
from weighbridge_workers.app import app
from weighbridge_workers.process import EXIT_CODE, SharedMemory

LOOK_S: Final = 15.0
CANARY_S: Final = 60.0
MISSES: Final = 3


class Canary:
    """Counts the messages to itself that a worker has left unanswered.

    send:   puts one, False where Redis did not take it: then nothing is due
    memory: where the worker's processes leave signs of life
    """

    def __init__(self, send: Callable[[], bool], memory: SharedMemory) -> None:
        self._send = send
        self._memory = memory
        self._misses = 0

    @property
    def is_dead(self) -> bool:
        """Whether three minutes have passed without any sign of life."""
        return self._misses >= MISSES

    def sing(self) -> None:
        """To be called once in `CANARY_S`: look whether there was a sign of life since
        the last message, and send the next one."""
        silent = self._memory.silent_for()
        if silent is not None and silent <= CANARY_S:
            self._misses = 0
        if self._send():
            self._misses += 1

    def look(self) -> None:
        """Forget the misses once there was a sign of life."""
        silent = self._memory.silent_for()
        if silent is not None and silent < LOOK_S:
            self._misses = 0


def canary_queue(worker: str) -> str:
    """The queue that only this worker takes from."""
    return f"canary.{worker}"


class Watchdog:
    """A thread of the worker's main process.

    worker:  as it is called in the register of workers
    give_up: ends the process
    """

    def __init__(
        self,
        redis_url: Secret,
        memory: SharedMemory,
        *,
        worker: str,
        give_up: Callable[[], None],
    ) -> None:
        self._worker = worker
        self._jobs = CeleryJobs(redis_url)
        self._register = WorkerRegister(redis_url)
        self._canary = Canary(
            lambda: self._jobs.put_canary(canary_queue(worker)), memory
        )
        self._give_up = give_up
        self._parent = int(os.environ.get(PARENT) or 0)
        self._closed = threading.Event()
        self._log = structlog.get_logger("weighbridge.worker")
        self._thread = threading.Thread(
            target=self._run, name="weighbridge-watchdog", daemon=True
        )

    def start(self) -> None:
        """Begin to watch; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """The worker ends as it should."""
        self._closed.set()
        self._thread.join(5.0)
        with suppress(OSError):
            self._register.strike(self._worker)
        self._jobs.drop_queue(canary_queue(self._worker))
        self._register.close()
        self._jobs.close()

    def _run(self) -> None:
        looks = 0
        while not self._closed.is_set():
            with suppress(OSError):
                for gone in self._register.note(self._worker):
                    # Killed: it could not do that itself.
                    self._jobs.drop_queue(canary_queue(gone))
            if looks * LOOK_S % CANARY_S == 0:
                self._canary.sing()
            else:
                self._canary.look()
            if self._canary.is_dead:
                self._log.error("the worker gets no work any more and ends itself")
                self._give_up()
            if self._parent and os.getppid() != self._parent:
                # Whoever started both nodes was killed, and nobody else ends us.
                os.kill(os.getpid(), signal.SIGTERM)
                return
            looks += 1
            self._closed.wait(LOOK_S)


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
