"""What a Redis says of itself before a process begins to rely on it."""

from typing import Final

from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from weighbridge.domain.text.secret import Secret
from weighbridge.errors import UsageError
from weighbridge.jobs.redis.worker_register import redis_client

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
        raise UsageError(
            "redis_url has a parameter that Redis' client does not know",
            code="invalid_redis_url",
            hint="redis://:PASSWORD@HOST:6379/0; behind it at most ?ssl_ca_certs=FILE",
        ) from None
    except NoPermissionError:
        return None
    except RedisError as exc:
        if isinstance(exc, AuthenticationError) or str(exc).startswith("NOAUTH"):
            raise _refused() from None
        return None
    return policy if isinstance(policy, str) else None


def _refused() -> UsageError:
    return UsageError(
        "Redis does not accept our password, or needs one and redis_url has none",
        code="redis_auth",
        hint="redis://:PASSWORD@HOST:6379/0, best by redis_url_file",
    )
