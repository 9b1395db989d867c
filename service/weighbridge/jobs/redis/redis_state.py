"""What a Redis says of itself: whether it answers us, and keeps what it is given."""

import socket
import ssl
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from weighbridge.domain.text.printable import Secret
from weighbridge.errors import TransportError
from weighbridge.jobs.redis.broker import invalid_url, redis_client, refused

_GIVE_UP_S: Final = 3.0
_PORT: Final = 6379


class RedisState(Struct, frozen=True):
    """As `INFO` has it.

    policy:       what it does when its memory is full
    limit_bytes:  0: it sets itself no limit
    is_persisted: whether each change is written to a disk (the append only file)
    has_saved:    whether its last snapshot to the disk went well; while it did not, it
                  refuses writes, unless that was turned off
    """

    version: str
    policy: str
    used_bytes: int
    limit_bytes: int
    is_persisted: bool
    has_saved: bool


def redis_state(redis_url: Secret) -> RedisState | None:
    """None where our user may not ask. Raises UsageError(redis_auth,
    invalid_redis_url), TransportError(redis_unavailable, dns_error, tls_error)."""
    try:
        with redis_client(redis_url, give_up_s=_GIVE_UP_S) as client:
            client.ping()
            try:
                info = client.info()
            except NoPermissionError:
                return None
    except (ValueError, TypeError):
        # The exception quotes parts of the URL.
        raise invalid_url() from None
    except RedisError as exc:
        if isinstance(exc, AuthenticationError) or str(exc).startswith("NOAUTH"):
            raise refused() from None
        raise _unavailable(exc, redis_url) from exc
    return RedisState(
        version=str(info.get("redis_version", "?")),
        policy=str(info.get("maxmemory_policy", "?")),
        used_bytes=int(info.get("used_memory", 0)),
        limit_bytes=int(info.get("maxmemory", 0)),
        is_persisted=bool(info.get("aof_enabled")),
        has_saved=info.get("rdb_last_bgsave_status", "ok") == "ok",
    )


def _unavailable(exc: RedisError, redis_url: Secret) -> TransportError:
    """Why, by what is below it; its own text may quote what the server has said."""
    parts = urlsplit(redis_url.reveal())
    place = f"Redis at {parts.hostname}:{parts.port or _PORT}"
    causes = list(_causes(exc))
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        words, code, hint = "its name does not resolve", "dns_error", "check redis_url"
    elif any(isinstance(cause, ssl.SSLError) for cause in causes):
        words, code = "no trusted TLS connection", "tls_error"
        hint = "name its authority: rediss://HOST:6379/0?ssl_ca_certs=FILE"
    elif any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        words, code = "nothing listens there", "redis_unavailable"
        hint = "start it, or correct redis_url"
    elif any(isinstance(c, TimeoutError | RedisTimeoutError) for c in causes):
        words, code = f"no answer in {_GIVE_UP_S:.0f} s", "redis_unavailable"
        hint = "see whether it stands still, and whether a firewall is between"
    else:
        words, code = "it ended the connection or refused", "redis_unavailable"
        hint = "read its log; rediss:// is for one with TLS, redis:// without"
    return TransportError(f"{place}: {words}", code=code, hint=hint)


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        exc = exc.__cause__ or exc.__context__
