"""What is looked at before a process joins the others."""

from weighbridge.bootstrap.databases import checked_database
from weighbridge.config import Settings
from weighbridge.errors import UsageError
from weighbridge.jobs.broker import is_exposed


def check_distributed(settings: Settings) -> list[str]:
    """What a person is to be warned of.

    Raises UsageError(no_redis) where there is no Redis to meet the others at, and
    StoreError(schema_version, ...) for a database that this version cannot use.
    """
    if settings.redis_url is None:
        raise UsageError(
            "no Redis is configured, where processes hand work to each other",
            code="no_redis",
            hint="set redis_url, or run everything in one process: weighbridge up",
        )
    with checked_database(settings):
        pass
    return redis_warnings(settings)


def redis_warnings(settings: Settings) -> list[str]:
    """Whether others reach the Redis, who then decide what workers do."""
    if settings.redis_url is None or not is_exposed(settings.redis_url):
        return []
    return [
        "warning: Redis is on another host without a password or without TLS: "
        "whoever reaches it decides what workers do"
    ]
