"""What a worker process keeps from its first message to its end."""

import os
import threading
from contextlib import suppress
from typing import Final

import structlog
from msgspec import Struct

from weighbridge.bootstrap.distributed.process import Distributed
from weighbridge.config import Settings, load_policies
from weighbridge.domain.text.secret import Secret
from weighbridge.errors import JobDropped, UsageError, WeighbridgeError
from weighbridge.jobs.pacing.shared_pacing import SharedPaces
from weighbridge.jobs.redis.enqueue_thread import EnqueueThread
from weighbridge.jobs.redis.over_celery import CeleryJobs
from weighbridge.jobs.redis.worker_register import (
    DROPPED,
    FAILED,
    TAKEN,
    WorkerRegister,
)
from weighbridge.jobs.redis.worker_totals import Totals
from weighbridge.store.connection.deadlines import OPENING_S, within
from weighbridge.store.leases.database_clock import DatabaseClock
from weighbridge.store.schema import check_schema
from weighbridge.store.session import Database, open_database
from weighbridge.telemetry import Telemetry
from weighbridge_workers.loop import LoopThread
from weighbridge_workers.shared_memory import SharedMemory
from weighbridge_workers.stopping import Stopping


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


def _checked(argument: object) -> str:
    """Raises JobDropped(malformed_job)."""
    if not isinstance(argument, str) or len(argument) > _ARGUMENT:
        raise JobDropped("a message is not of our making", code="malformed_job")
    return argument


_ARGUMENT: Final = 512
