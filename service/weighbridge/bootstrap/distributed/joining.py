"""What is checked and waited for before a process joins the others."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from weighbridge.config import Settings
from weighbridge.errors import StoreError, UsageError
from weighbridge.jobs.redis.broker import KEEPS, eviction_policy, is_exposed
from weighbridge.service_manager import ServiceManager
from weighbridge.store.schema_watch import await_schema
from weighbridge.store.session import Database, open_database

_SAID_EVERY_S: Final = 60.0


def check_distributed(settings: Settings, manager: ServiceManager) -> list[str]:
    """What a person is to be warned of; waits for the upgrade of an older schema.

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
    with awaited_database(settings, manager):
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


@contextmanager
def awaited_database(settings: Settings, manager: ServiceManager) -> Iterator[Database]:
    """The configured database, once it has this version's schema: an older one is
    waited for, as another process upgrades it.

    manager: is told while it waits
    Raises StoreError(schema_version) for a newer one, StoreError(no_database, ...).
    """
    log = structlog.get_logger("weighbridge")
    said_at = float("-inf")

    def waits(older: StoreError) -> None:
        nonlocal said_at
        manager.waiting(f"waits for weighbridge db upgrade: {older.message}")
        if time.monotonic() - said_at >= _SAID_EVERY_S:
            said_at = time.monotonic()
            log.warning("waits for: weighbridge db upgrade", why=older.message)

    database = open_database(settings.database_url.reveal(), must_exist=True)
    try:
        await_schema(database, waits)
        yield database
    finally:
        database.close()
