"""How Redis is spoken to: one set of limits for whoever hands work over or does it, and
what a Redis says of itself before a process begins to rely on it.

What Celery does by itself is not what it sounds like: docs/deploying/distributed.md
says what each of these is for, and what was measured without it.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    RedisError,
    ResponseError,
)
from redis.retry import Retry

from weighbridge.domain.text.printable import Secret
from weighbridge.errors import UsageError

GIVE_UP_S: Final = 1.0
"""Who hands work over waits no longer for Redis: the database knows what is due."""
VISIBILITY_S: Final = 900
"""A message that nobody has confirmed comes back after so long. More than any job may
take: a second worker would begin beside the first."""
HARD_LIMIT_S: Final = 720
SOFT_LIMIT_S: Final = 660
PRIORITIES: Final = [0]
"""A list a queue in Redis, and not one for each of Celery's priorities."""


def sending(give_up_s: float) -> dict[str, object]:
    """Transport options of whoever hands work over."""
    return {
        "socket_timeout": give_up_s,
        "socket_connect_timeout": give_up_s,
        "visibility_timeout": VISIBILITY_S,
        "priority_steps": PRIORITIES,
    }


def tls(redis_url: Secret) -> dict[str, object] | None:
    """What Celery is told of TLS: by itself it accepts any certificate."""
    if urlsplit(redis_url.reveal()).scheme != "rediss":
        return None
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True}


def is_exposed(redis_url: Secret) -> bool:
    """Whether others may reach this Redis or read along: it is not on this machine,
    and has no password or no TLS. Whoever writes there decides what workers do."""
    parts = urlsplit(redis_url.reveal())
    if _is_loopback(parts.hostname or ""):
        return False
    return not parts.password or parts.scheme != "rediss"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def redis_client(redis_url: Secret, *, give_up_s: float = GIVE_UP_S) -> Redis:
    """A client that gives up soon and never tries again by itself."""
    return Redis.from_url(
        redis_url.reveal(),
        socket_timeout=give_up_s,
        socket_connect_timeout=give_up_s,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
        # Anybody may have written there, and anything.
        encoding_errors="replace",
    )


def is_wrong_type(exc: BaseException) -> bool:
    """Whether a key holds another kind of value than it is used for."""
    return isinstance(exc, ResponseError) and "WRONGTYPE" in str(exc)


@contextmanager
def ours(redis: Redis, *keys: str) -> Iterator[None]:
    """Raises OSError where Redis is away or refuses. Keys that are called as only ours
    are and hold something else are deleted: that would stay for ever."""
    try:
        yield
    except RedisError as exc:
        if is_wrong_type(exc):
            with suppress(RedisError):
                redis.delete(*keys)
        raise OSError("Redis does not answer") from exc


KEEPS: Final = "noeviction"


def eviction_policy(redis_url: Secret) -> str | None:
    """What it does when its memory is full; None where it does not say so now.

    Raises UsageError(redis_auth, invalid_redis_url): waiting would change nothing.
    """
    try:
        with redis_client(redis_url) as client:
            # INFO: whoever runs Redis for others forbids CONFIG.
            policy = client.info("memory").get("maxmemory_policy")
    except (ValueError, TypeError):
        # The exception quotes parts of the URL.
        raise invalid_url() from None
    except NoPermissionError:
        return None
    except RedisError as exc:
        if isinstance(exc, AuthenticationError) or str(exc).startswith("NOAUTH"):
            raise refused() from None
        return None
    return policy if isinstance(policy, str) else None


def invalid_url() -> UsageError:
    """The client cannot read the URL."""
    return UsageError(
        "redis_url has a parameter that Redis' client does not know",
        code="invalid_redis_url",
        hint="redis://:PASSWORD@HOST:6379/0; behind it at most ?ssl_ca_certs=FILE",
    )


def refused() -> UsageError:
    """It does not let us in."""
    return UsageError(
        "Redis does not accept our password, or needs one and redis_url has none",
        code="redis_auth",
        hint="redis://:PASSWORD@HOST:6379/0, best by redis_url_file",
    )
