"""How Redis is spoken to: one set of limits for whoever hands work over or does it.

What Celery does by itself is not what it sounds like: docs/deploying.md says what each
of these is for, and what was measured without it.
"""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from weighbridge.domain.text.secret import Secret

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
