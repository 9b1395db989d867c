"""Whether an address can be listened on, before anything is promised there."""

import errno
import socket
from collections.abc import Callable
from typing import Final

from weighbridge.config import Settings, split_bind
from weighbridge.errors import UsageError

_TRIED: Final = 20
_PRIVILEGED: Final = 1024


def can_listen(host: str, port: int) -> None:
    """Raises OSError where the system says no."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # A port that the last run has just left is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def check_free(
    host: str,
    port: int,
    *,
    setting: str = "--bind",
    listen: Callable[[str, int], None] = can_listen,
) -> None:
    """Raises UsageError(address_in_use) with what may be taken in its place.

    setting: what the address is given by
    """
    try:
        listen(host, port)
    except OSError as exc:
        why = _why(exc, _shown(host, port))
        hint = _hint(host, port, setting, listen)
        raise UsageError(why, code="address_in_use", hint=hint) from exc


def check_listeners(settings: Settings) -> None:
    """The same for every address of the configuration."""
    check_free(*split_bind(settings.web.bind))
    if settings.metrics.bind is not None:
        check_free(*split_bind(settings.metrics.bind), setting="metrics.bind:")


def _why(exc: OSError, shown: str) -> str:
    if exc.errno == errno.EADDRINUSE:
        return f"{shown} is in use by another program"
    if exc.errno == errno.EACCES:
        return f"{shown} is not for this user: ports below {_PRIVILEGED} are root's"
    if exc.errno == errno.EADDRNOTAVAIL:
        return f"{shown} cannot be listened on: this machine has no such address"
    return f"{shown} cannot be listened on: {exc.strerror}"


def _hint(
    host: str, port: int, setting: str, listen: Callable[[str, int], None]
) -> str:
    first = max(port + 1, _PRIVILEGED)
    for other in range(first, min(first + _TRIED, 65_536)):
        try:
            listen(host, other)
        except OSError:
            continue
        return f"{setting} {_shown(host, other)}, which is free now"
    return f"another one with {setting}, such as 127.0.0.1:8081"


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
