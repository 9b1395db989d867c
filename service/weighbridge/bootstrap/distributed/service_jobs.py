"""What a service does where workers do the work: it enqueues pushes and crawls that are
asked for, and keeps their pace when it probes a registry."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from weighbridge.bootstrap.registries.probing import Paces, alone
from weighbridge.bootstrap.registries.rate_limiters import RateLimiters
from weighbridge.config import Settings
from weighbridge.domain.text.secret import Secret
from weighbridge.jobs.pacing.shared_pacing import SharedPaces
from weighbridge.jobs.redis.over_celery import CeleryJobs, EnqueueThread
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


def probe_paces(settings: Settings) -> Paces:
    """What `Probes` asks for before each probe: they are a minute apart, so that no
    connection is kept for them."""
    url = settings.redis_url
    return alone if url is None else lambda: _shared(url)


@asynccontextmanager
async def _shared(redis_url: Secret) -> AsyncIterator[RateLimiters | None]:
    paces = SharedPaces(redis_url)
    try:
        yield RateLimiters(paces.of)
    finally:
        await paces.aclose()
