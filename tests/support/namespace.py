"""A network of its own for one test, with public addresses that lead to ourselves.

The guard has no switch for tests, so what it does with public addresses is tried where
they can be had: a network namespace is empty but for what is put there, and nothing in
it reaches another machine. Documentation ranges will not do, the guard never dials
those.
"""

import asyncio
import ctypes
import os
import subprocess
import threading
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from support.missing import skip_or_fail
from support.wait import wait_in_thread

_CLONE_NEWNET = 0x4000_0000


class NamespaceUnavailable(Exception):
    """The kernel, or our rights, allow no namespace."""


def run_in_namespace(
    addresses: Sequence[str], story: Callable[[], Awaitable[None]]
) -> None:
    """Run `story` in an event loop on a thread that has a network of its own, with
    loopback and `addresses` ("93.184.216.34/32").

    Skips the test without the rights for it, and fails where CI is set: there it must
    run. A namespace ends with the last thread and socket in it.
    """
    failures: list[BaseException] = []

    def run() -> None:
        try:
            enter()
            _add(addresses)
            asyncio.run(_finished(story))
        except BaseException as exc:  # noqa: BLE001 - raised again by the test's thread
            failures.append(exc)

    thread = threading.Thread(target=run, name="namespace")
    thread.start()
    thread.join()
    for failure in failures:
        if isinstance(failure, NamespaceUnavailable):
            skip_or_fail(str(failure))
        raise failure


async def _finished(story: Callable[[], Awaitable[None]]) -> None:
    await story()


def enter() -> None:
    """Give this thread an empty network of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise NamespaceUnavailable(f"no network namespace: {reason} (run as root)")


def _add(addresses: Sequence[str]) -> None:
    # A child of this thread starts in this thread's namespace.
    ip("link", "set", "lo", "up")
    try:
        ip("link", "add", "outside", "type", "dummy")
        ip("link", "set", "outside", "up")
        device = "outside"
    except NamespaceUnavailable:
        # Some kernels have no dummy device. An address on loopback's device is as
        # local to us and as public to the guard.
        device = "lo"
    for address in addresses:
        ip("address", "add", address, "dev", device, *_nodad(address))
    for address in addresses:
        # The kernel adds the way to an IPv6 address a moment later.
        wait_in_thread(
            partial(_is_ours, address.partition("/")[0]), f"{address} is ours"
        )


def _is_ours(address: str) -> bool:
    done = subprocess.run(
        ["ip", "route", "get", address], capture_output=True, text=True, check=False
    )
    return done.stdout.startswith("local ")


def _nodad(address: str) -> tuple[str, ...]:
    # Else an IPv6 address is not usable until nobody else was found to have it.
    return ("nodad",) if ":" in address else ()


def ip(*arguments: str) -> None:
    """The command, in the network of the thread that calls."""
    try:
        done = subprocess.run(
            ["ip", *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError as exc:
        raise NamespaceUnavailable("no `ip` command (package iproute2)") from exc
    if done.returncode:
        raise NamespaceUnavailable(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
