"""A server as a process of its own, for the length of a block."""

import itertools
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import httpx

from support.wait import wait_in_thread

READY_S: Final = 60.0


PLAIN: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For httpx where no certificate is looked at: it trusts nobody, and is made once. With
its own, httpx reads all authorities of the system for each request."""

_PORTS: Final = 2_000
"""Of each process that runs tests, below those that a system gives out by itself: so
that nobody else takes one between its choice and the start of who is to listen."""
_next = itertools.count()


def free_address() -> str:
    """Host and port on loopback that nobody listens at now."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    first = 12_000 + int(worker) % 10 * _PORTS
    # Another run of the tests begins somewhere else.
    first_of_run = os.getpid() % _PORTS
    for number in itertools.islice(_next, _PORTS):
        port = first + (first_of_run + number) % _PORTS
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return f"127.0.0.1:{port}"
    raise OSError(f"no port is free from {first} on")


def log_of(folder: Path) -> str:
    """What the program that was started there has said."""
    return (folder / "log").read_text(errors="replace")


@contextmanager
def serving(
    command: Sequence[str],
    folder: Path,
    address: str,
    ready: str = "/-/ready",
    tls: ssl.SSLContext | None = None,
) -> Iterator["subprocess.Popen[bytes]"]:
    """A program that was started in the folder, and ended with the block.

    ready: the path that is answered with 200 once it serves
    tls:   where it is asked over HTTPS
    """
    with (folder / "log").open("wb") as stream:
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.DEVNULL, stderr=stream
        )

    def is_ready() -> bool:
        assert process.poll() is None, log_of(folder)
        try:
            answer = httpx.get(
                f"{'https' if tls else 'http'}://{address}{ready}",
                trust_env=False,
                verify=tls or PLAIN,
            )
        except httpx.TransportError:
            return False
        return answer.status_code == 200

    try:
        wait_in_thread(
            is_ready, command[0], deadline_s=READY_S, seen=lambda: log_of(folder)
        )
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
