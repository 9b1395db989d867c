"""What a worker process keeps from its first message to its end, and one wrapper for
all jobs: an event loop on a thread of its own, what it shares with its worker, and a
thread that has it end in time, whatever in it waits.

Celery's pools call tasks as plain functions, from one thread (prefork, solo) or from
several. Connections to registries belong to a loop, so there is one for all of them.
"""

import asyncio
import mmap
import os
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

import structlog
from msgspec import Struct

from weighbridge.beat import Beat
from weighbridge.bootstrap.distributed.process import Distributed
from weighbridge.config import Settings, load_policies
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import JobDropped, UsageError, WeighbridgeError
from weighbridge.jobs.pacing.shared_pacing import SharedPaces
from weighbridge.jobs.redis.over_celery import CeleryJobs, EnqueueThread
from weighbridge.jobs.redis.worker_register import (
    DROPPED,
    FAILED,
    TAKEN,
    Totals,
    WorkerRegister,
)
from weighbridge.store.connection.deadlines import OPENING_S, within
from weighbridge.store.leases.validity import DatabaseClock
from weighbridge.store.schema import check_schema
from weighbridge.store.session import Database, open_database
from weighbridge.telemetry import Telemetry

T = TypeVar("T")


_END_S: Final = 10.0


class LoopThread:
    """A running loop. To be made after a fork, not before: threads do not survive."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="weighbridge-loop", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What the coroutine returns or raises; waits for it. If the wait is broken
        off, as by a time limit, the coroutine is cancelled."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            if not future.done():
                future.cancel()
            raise

    def close(self) -> None:
        """Cancel what runs, end the thread."""
        future = asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop)
        try:
            future.result(_END_S)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_END_S)
            if not self._thread.is_alive():
                self._loop.close()


async def _cancel_all() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


_STOP: Final = 0
_LIFE: Final = 1


class SharedMemory:
    """Two times, by the machine's monotonic clock, that a worker and the processes of
    its pool share; made before the fork. Celery tells only the worker itself that it is
    to stop, and only the pool's processes know that something was done.
    """

    def __init__(self) -> None:
        self._times = memoryview(mmap.mmap(-1, 16)).cast("d")

    def note_stop(self) -> None:
        """Say that the worker is to stop."""
        if not self._times[_STOP]:
            self._times[_STOP] = time.monotonic()

    def stopping_for(self) -> float | None:
        """Seconds since it was told to stop; None where it was not."""
        since = self._times[_STOP]
        return time.monotonic() - since if since else None

    def note_life(self) -> None:
        """Say that a job has come to its end, or goes on."""
        self._times[_LIFE] = time.monotonic()

    def silent_for(self) -> float | None:
        """Seconds since the last sign of life; None where there was none."""
        since = self._times[_LIFE]
        return time.monotonic() - since if since else None


GRACE_S: Final = 12.0
"""So long a job may go on once the worker is to stop; then it is given back. The
whole worker has 30 seconds."""
LAST_CALL_S: Final = 8.0
"""So long after that the database is still waited for."""
FORCED_S: Final = 26.0
"""Since the worker was told to stop: a process that lives then ends at once."""
EXIT_CODE: Final = 70
_LOOK_S: Final = 0.5


class Stopping:
    """A thread that looks whether the worker is to stop.

    hang_up: has every call of the database end within so many seconds
    give_up: ends the process
    """

    def __init__(
        self,
        memory: SharedMemory,
        hang_up: Callable[[float], None],
        give_up: Callable[[], None] = lambda: os._exit(EXIT_CODE),
    ) -> None:
        self._memory = memory
        self._hang_up = hang_up
        self._give_up = give_up
        self._has_hung_up = False
        self._log = structlog.get_logger("weighbridge.worker")
        self._beat = Beat("weighbridge-stopping", self._step)

    def start(self) -> None:
        """Begin to look; returns at once."""
        self._beat.start()

    def close(self) -> None:
        """The process ends by itself."""
        self._beat.close()

    def _step(self) -> float:
        waited_s = self._memory.stopping_for()
        if waited_s is None or waited_s < GRACE_S:
            return _LOOK_S
        if not self._has_hung_up:
            self._has_hung_up = True
            self._hang_up(LAST_CALL_S)
        if waited_s >= FORCED_S:
            self._log.warning("ended with work under way", waited_s=waited_s)
            self._give_up()
        return _LOOK_S


class _Redis(Struct, frozen=True):
    """What needs no database: a message is taken whether there is one or not."""

    jobs: CeleryJobs
    register: WorkerRegister
    totals: Totals

    def close(self) -> None:
        for part in (self.jobs, self.register, self.totals):
            part.close()


class _Parts(Struct, frozen=True):
    """Made by the first message, after the fork."""

    loop: LoopThread
    database: Database
    clock: DatabaseClock
    enqueuer: EnqueueThread
    distributed: Distributed


class Process:
    """Does jobs. In any pool: one process may be asked by several threads at once.

    Raises UsageError(no_redis).
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.redis_url = _redis_url(settings)
        self.memory = SharedMemory()
        self._telemetry = Telemetry()
        self._lock = threading.Lock()
        self._redis: _Redis | None = None
        self._parts: _Parts | None = None
        self._stopping = Stopping(self.memory, self._hang_up)
        self._log = structlog.get_logger("weighbridge.worker")

    def do(self, job: str, argument: object) -> None:
        """Do one job. What fails is logged and counted: the database knows what is
        due, and asks for it again."""
        events = [(TAKEN, job, "")]
        redis = self._connected()
        try:
            text = _checked(argument)
            redis.jobs.taken(job, text)
            parts = self._ready(redis)
            with within(OPENING_S):
                parts.clock.refresh()
            parts.loop.run(parts.distributed.handlers[job](text))
        except JobDropped as exc:
            events.append((DROPPED, job, exc.code))
            self._log.warning("job dropped", job=job, code=exc.code, why=exc.message)
        except WeighbridgeError as exc:
            level = self._log.warning if exc.retryable else self._log.error
            level(
                "job failed", job=job, argument=argument, code=exc.code, why=exc.message
            )
            events.append((FAILED, job, ""))
        except Exception as exc:
            # What is counted here is told by Celery, as it tells every error.
            self._log.error("job failed", job=job, code="bug", why=repr(exc))
            events.append((FAILED, job, ""))
            raise
        finally:
            self.memory.note_life()
            with suppress(OSError):
                redis.register.count(*events)

    def close(self) -> None:
        """Give back what is held, and close every connection."""
        with self._lock:
            parts, self._parts = self._parts, None
            redis, self._redis = self._redis, None
        if parts is not None:
            with suppress(TimeoutError):
                parts.loop.run(parts.distributed.aclose())
                parts.loop.close()
            parts.enqueuer.close()
            parts.database.close()
        if redis is not None:
            redis.close()
            self._stopping.close()

    def _hang_up(self, last_call_s: float) -> None:
        parts = self._parts
        if parts is not None:
            parts.database.end_within(last_call_s)

    def _connected(self) -> _Redis:
        with self._lock:
            if self._redis is None:
                url = self.redis_url
                self._redis = _Redis(CeleryJobs(url), WorkerRegister(url), Totals(url))
                self._stopping.start()
            return self._redis

    def _ready(self, redis: _Redis) -> _Parts:
        with self._lock:
            if self._parts is None:
                self._parts = self._make(redis)
            return self._parts

    def _make(self, redis: _Redis) -> _Parts:
        policies = load_policies(None, os.environ)
        database = open_database(self.settings.database_url.reveal())
        clock = DatabaseClock(database)
        try:
            with within(OPENING_S):
                check_schema(database)
                clock.measure()
        except BaseException:
            database.close()
            raise
        loop = LoopThread()

        # No crawl waits for Redis while it asks for what follows.
        enqueuer = EnqueueThread(redis.jobs)
        enqueuer.start()

        async def make() -> Distributed:
            made = Distributed(
                self.settings,
                database,
                self._telemetry,
                enqueuer,
                clock,
                paces=SharedPaces(self.redis_url),
                sums=redis.totals,
                policies=policies,
            )
            await made.open()
            return made

        return _Parts(loop, database, clock, enqueuer, loop.run(make()))


def _redis_url(settings: Settings) -> Secret:
    if settings.redis_url is None:
        raise UsageError(
            "workers need a Redis: redis_url is not set",
            code="no_redis",
            hint="set redis_url, or run everything in one process: weighbridge up",
        )
    return settings.redis_url


_ARGUMENT: Final = 512


def _checked(argument: object) -> str:
    """Raises JobDropped(malformed_job)."""
    if not isinstance(argument, str) or len(argument) > _ARGUMENT:
        raise JobDropped("a message is not of our making", code="malformed_job")
    return argument
