"""Names to addresses, on threads of their own."""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

_THREADS = 4


class Resolver(Protocol):
    """What turns a host into addresses: the system's resolver, or a script in tests."""

    async def __call__(self, host: str) -> Sequence[str]:
        """Every address of a name or literal, as text; a scope is kept after "%".

        Raises OSError (socket.gaierror) where there is none."""


class SystemResolver:
    """The system's getaddrinfo, which also reads literals in every odd spelling; those
    in the usual one are what they say.

    The loop's default threads are not used: a look-up cannot be interrupted, and a
    name server that hangs would take every other user of those threads with it.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(
            _THREADS, thread_name_prefix="weighbridge-resolve"
        )
        self._closed = False

    async def __call__(self, host: str) -> Sequence[str]:
        if not self._closed and _is_literal(host):
            # It must not wait behind names whose server hangs.
            return [host]
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, _look_up, host)
        except RuntimeError as exc:
            raise _closed() from exc
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._closed and task is not None and not task.cancelling():
                # `close` cancelled the look-up, not whoever waits for it.
                raise _closed() from None
            raise

    def close(self) -> None:
        """Take no more names; look-ups that hang are left to themselves."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)


def _is_literal(host: str) -> bool:
    if "%" in host:
        return False  # the scope is the system's to understand
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _closed() -> socket.gaierror:
    return socket.gaierror(socket.EAI_AGAIN, "the resolver was closed")


def _look_up(host: str) -> list[str]:
    try:
        infos = socket.getaddrinfo(
            host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
    except UnicodeError as exc:
        # A label that IDNA cannot encode (empty, or over 63 bytes).
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from exc
    return [_text(info[4]) for info in infos]


def _text(
    sockaddr: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes],
) -> str:
    address = str(sockaddr[0])
    if len(sockaddr) == 4 and sockaddr[3]:
        return f"{address}%{sockaddr[3]}"
    return address
