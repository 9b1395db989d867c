"""What is crawled before a process joins the others."""

from weighbridge.bootstrap.databases import checked_database
from weighbridge.config import Settings
from weighbridge.errors import UsageError
from weighbridge.jobs.redis.broker import KEEPS, eviction_policy, is_exposed


def check_distributed(settings: Settings) -> list[str]:
    """What a person is to be warned of.

    Raises UsageError(no_redis, redis_auth, invalid_redis_url) where there is no Redis
    to meet the others at, whatever one waits, and StoreError(schema_version, ...) for a
    database that this version cannot use.
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


def warnings_of_service(settings: Settings) -> list[str]:
    """The same for who only serves, and can do so without Redis.

    Raises UsageError(invalid_redis_url)."""
    try:
        return redis_warnings(settings)
    except UsageError as exc:
        if exc.code != "redis_auth":
            raise
        return [f"warning: {exc.message}"]


def redis_warnings(settings: Settings) -> list[str]:
    """Whether others reach the Redis, who then decide what workers do, and whether it
    throws messages away. One that is down is waited for.

    Raises UsageError(redis_auth, invalid_redis_url)."""
    if settings.redis_url is None:
        return []
    warnings = []
    if is_exposed(settings.redis_url):
        warnings.append(
            "warning: Redis is on another host without a password or without TLS: "
            "anybody who reaches it decides what workers do"
        )
    policy = eviction_policy(settings.redis_url)
    if policy not in (None, KEEPS):
        warnings.append(
            f"warning: Redis drops keys when its memory is full ({policy}), and with "
            f"them what workers are to do: set maxmemory-policy {KEEPS}"
        )
    return warnings
