"""Enqueues pushes and crawls that are asked for, where workers do the work."""

from collections.abc import Iterator
from contextlib import contextmanager

from weighbridge.config import Settings
from weighbridge.jobs.redis.enqueue_thread import EnqueueThread
from weighbridge.jobs.redis.over_celery import CeleryJobs
from weighbridge.ports.protocols import JobQueue


@contextmanager
def service_enqueuer(settings: Settings) -> Iterator[JobQueue | None]:
    """A queue that never waits for Redis, while the block runs; None where there is no
    Redis."""
    if settings.redis_url is None:
        yield None
        return
    jobs = CeleryJobs(settings.redis_url)
    enqueuer = EnqueueThread(jobs)
    enqueuer.start()
    try:
        yield enqueuer
    finally:
        enqueuer.close()
        jobs.close()
