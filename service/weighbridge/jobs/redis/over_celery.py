"""Jobs for other processes: a message each, by Celery over Redis; and a thread that
hands them over, so that whoever commits does not wait for Redis."""

import threading
import time
from typing import Final

import structlog
from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError, ResponseError

from weighbridge.domain.text.printable import Secret
from weighbridge.jobs.redis.broker import GIVE_UP_S, redis_client, sending, tls
from weighbridge.jobs.redis.job_messages import SENT_AT
from weighbridge.ports.job_names import CANARY, PUSH, QUEUE_OF
from weighbridge.ports.protocols import JobQueue

_FAILURES: Final = (KombuError, RedisError, OSError)
_QUIET_S: Final = 5.0
"""After a failure Redis is left alone so long: a thousand jobs would each wait."""
_SENDING_S: Final = 10
"""A mark that was set and not confirmed goes away so soon."""
WAITING_S: Final = 30
"""A message that nobody has taken for so long is sent again: whoever had it may have
been killed before saying so. No longer than a lease: who was killed with a repository
in its hands may have had its next message, too, and both are free again together."""
PUSH_S: Final = 5
"""The same for a push, which somebody waits for; a message more costs a query."""


class CeleryJobs:
    """A `JobQueue` over Redis. May be shared between threads, not between processes.

    What waits has a mark in Redis, so that it is sent once. Marks and messages are
    lost together.

    give_up_s: Redis is away if it has not answered within so many seconds
    """

    def __init__(self, redis_url: Secret, *, give_up_s: float = GIVE_UP_S) -> None:
        self._celery = Celery(
            broker=redis_url.reveal(), set_as_current=False, fixups=[]
        )
        self._celery.conf.update(
            broker_transport_options=sending(give_up_s),
            broker_use_ssl=tls(redis_url),
            task_ignore_result=True,
            task_serializer="json",
            accept_content=["json"],
            task_create_missing_queues=True,
        )
        self._redis = redis_client(redis_url, give_up_s=give_up_s)
        self._quiet_until = 0.0
        self._told_until = 0.0
        self._log = structlog.get_logger("weighbridge.jobs")

    def put(self, job: str, argument: str, *, first: bool = False) -> None:
        """See `ports.JobQueue`."""
        if time.monotonic() < self._quiet_until:
            return
        mark = _mark(job, argument)
        try:
            if self._is_set(mark, _mark_s(job)):
                self._send(job, argument, first=first)
                self._redis.expire(mark, _mark_s(job))
        except _FAILURES as exc:
            now = time.monotonic()
            if not isinstance(exc.__cause__ or exc, ResponseError):
                # One that answers may refuse this and take the next.
                self._quiet_until = now + _QUIET_S
            if now >= self._told_until:
                self._told_until = now + _QUIET_S
                self._log.warning(
                    "Redis does not accept work; what is due is enqueued again later",
                    why=type(exc).__name__,
                )

    def taken(self, job: str, argument: str) -> None:
        """Say that a message has arrived: whoever asks from now on sends another."""
        try:
            self._redis.delete(_mark(job, argument))
        except RedisError:
            return  # The mark ends by itself.

    def put_canary(self, queue: str) -> bool:
        """Send a worker a message by a queue that only it takes from; whether Redis
        took it."""
        try:
            self._celery.send_task(CANARY, queue=queue, retry=False, ignore_result=True)
        except _FAILURES:
            return False
        return True

    def drop_queue(self, queue: str) -> None:
        """Leave nothing of such a queue: kombu keeps that it was bound for ever."""
        try:
            self._redis.delete(
                queue, f"_kombu.binding.{queue}", f"_kombu.binding_permanent.{queue}"
            )
        except RedisError:
            return

    def close(self) -> None:
        """Close every connection."""
        self._celery.close()
        self._redis.close()

    def _is_set(self, mark: str, most_s: int) -> bool:
        """Whether the mark was not there and is now. One that would stay for longer
        than ours is somebody else's: it would keep the work from ever being done."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.set(mark, "", nx=True, ex=_SENDING_S)
            pipeline.ttl(mark)
            is_new, left_s = pipeline.execute()
        if not is_new and not 0 <= left_s <= max(most_s, _SENDING_S):
            is_new = self._redis.set(mark, "", ex=_SENDING_S)
        return bool(is_new)

    def _send(self, job: str, argument: str, *, first: bool) -> None:
        # Without an end: that would be judged by the clock of whoever takes it.
        self._celery.send_task(
            job,
            args=[argument],
            queue="push" if first else QUEUE_OF[job],
            headers={SENT_AT: time.time()},
            retry=False,
            ignore_result=True,
        )


def _mark_s(job: str) -> int:
    return PUSH_S if job == PUSH else WAITING_S


def _mark(job: str, argument: str) -> str:
    return f"weighbridge:waiting:{job}:{argument}"


MOST_WAITING: Final = 10_000
"""What is not enqueued is found by the scheduler's tick."""


class EnqueueThread:
    """A `JobQueue` in front of one that may take a while."""

    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs
        self._log = structlog.get_logger("weighbridge.jobs")
        self._waiting: dict[tuple[str, str], bool] = {}
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(
            target=self._run, name="weighbridge-enqueue", daemon=True
        )

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def put(self, job: str, argument: str, *, first: bool = False) -> None:
        """See `ports.JobQueue`. Returns at once."""
        with self._changed:
            if len(self._waiting) < MOST_WAITING:
                self._waiting[job, argument] = first
                self._changed.notify()

    def close(self, timeout_s: float = 3.0) -> None:
        """Enqueue what waits, as far as there is time, and end the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closed)
                if not self._waiting:
                    return
                (job, argument), first = next(iter(self._waiting.items()))
                del self._waiting[job, argument]
            try:
                self._jobs.put(job, argument, first=first)
            except Exception as exc:  # noqa: BLE001 - the thread must outlive any call
                self._log.error("no work is enqueued", code="bug", why=repr(exc))
