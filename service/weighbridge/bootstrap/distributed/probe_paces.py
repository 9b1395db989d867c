"""The pace of a registry that a service shares with workers, for one probe."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from weighbridge.bootstrap.registries.probing import Paces, alone
from weighbridge.bootstrap.registries.rate_limiters import RateLimiters
from weighbridge.config import Settings
from weighbridge.domain.text.secret import Secret
from weighbridge.jobs.pacing.shared_pacing import SharedPaces


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
