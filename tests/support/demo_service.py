"""`weighbridge up --demo` as a process of its own, for the length of a block."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from support.wait import wait_in_thread

_READY_S = 60.0


@contextmanager
def demo_service(folder: Path, config: str) -> Iterator[str]:
    """The address at which it serves. config: the text of its configuration file"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    file = folder / "weighbridge.yaml"
    file.write_text(config)
    with (folder / "stderr").open("wb") as errors:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "weighbridge", "up", "--demo"),
                *("--config", str(file), "--bind", address),
            ],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd=folder,
            env=os.environ | {"TMPDIR": str(folder)},
        )
    try:
        _wait_until_ready(address, process, folder / "stderr")
        yield address
    finally:
        process.kill()
        process.wait()


def _wait_until_ready(
    address: str, process: subprocess.Popen[bytes], errors: Path
) -> None:
    def is_ready() -> bool:
        assert process.poll() is None, errors.read_text()
        try:
            answer = httpx.get(f"http://{address}/readyz", trust_env=False, timeout=5)
        except httpx.TransportError:
            return False
        return answer.status_code == 200

    wait_in_thread(is_ready, "it serves", deadline_s=_READY_S, seen=errors.read_text)
