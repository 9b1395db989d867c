"""Notifies the service manager that started this process: ready, reading again, alive,
stopping.

By systemd's protocol, sd_notify(3): one datagram a statement, to the socket that
NOTIFY_SOCKET names. Where nothing is named, nothing is said.
"""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

_SEND_S: Final = 1.0
"""A manager that takes nothing for so long is not waited for."""


class ServiceManager:
    """Who started us, if it wants to know; only the process that it started speaks.

    environ: NOTIFY_SOCKET, the path of a socket, or `@` and an abstract name; and
        WATCHDOG_USEC with WATCHDOG_PID, see sd_watchdog_enabled(3)
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._every_s = _watch_s(environ)
        self._said_at = float("-inf")
        self._is_ready = False
        self._has_waited = False

    def waiting(self, text: str) -> None:
        """It is not ready yet, for this reason, and is to be given 30 seconds more."""
        self._has_waited = True
        self._say(f"STATUS={text}\nEXTEND_TIMEOUT_USEC=30000000")

    def ready(self) -> None:
        """It works from now on. Only the first time says something."""
        if not self._is_ready:
            self._is_ready = True
            self._say("READY=1\nSTATUS=" if self._has_waited else "READY=1")

    def alive(self) -> None:
        """To be called again and again, however often, by what must not stand still:
        after `WatchdogSec` without it, systemd ends the process."""
        now = time.monotonic()
        if self._every_s is not None and now - self._said_at >= self._every_s:
            self._said_at = now
            self._say("WATCHDOG=1")

    def stopping(self) -> None:
        """It has begun to end. May be called by a signal handler."""
        self._is_ready = False
        self._say("STOPPING=1")

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """In the block, the configuration is read again. Of a process that is not
        ready yet, or stops, nothing is said: it would count as ready afterwards."""
        is_said = self._is_ready
        if is_said:
            # systemd compares it with the time of its own request: CLOCK_MONOTONIC.
            now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
            self._say(f"RELOADING=1\nMONOTONIC_USEC={now}")
        try:
            yield
        finally:
            if is_said and self._is_ready:
                self._say("READY=1")

    def _say(self, text: str) -> None:
        if self._address is None:
            return
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
        ):
            sender.settimeout(_SEND_S)
            sender.sendto(text.encode(), self._address)


def _address(name: str) -> str | None:
    """None for what is neither a path nor an abstract name, such as `vsock:...`."""
    if name.startswith("@"):
        return f"\0{name[1:]}"
    return name if name.startswith("/") else None


def _watch_s(environ: Mapping[str, str]) -> float | None:
    """How often to say that it is alive: thrice in the time that is given, so that a
    late one does no harm. None where nobody watches this process."""
    given, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not given.isdecimal() or pid not in ("", str(os.getpid())):
        return None
    return int(given) / 3_000_000 or None


UNMANAGED: Final = ServiceManager({})
"""Nobody wants to know."""
