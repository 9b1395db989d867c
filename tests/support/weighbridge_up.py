"""`weighbridge up` as a process of its own, for the length of a block."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from support.serving import free_address, serving


@dataclass(frozen=True, slots=True)
class Up:
    """One that runs: where it serves, and its process for signals."""

    address: str
    pid: int

    def get(self, path: str) -> str:
        return httpx.get(f"http://{self.address}{path}", trust_env=False).text


@contextmanager
def weighbridge_up(folder: Path, configuration: str, *options: str) -> Iterator[Up]:
    """`weighbridge up` in a folder with this configuration, and its database there."""
    folder.mkdir(exist_ok=True)
    (folder / "weighbridge.yaml").write_text(configuration, encoding="utf-8")
    address = free_address()
    command = [sys.executable, "-m", "weighbridge", "up", "--bind", address]
    command += ["--database", "w.db", *options]
    with serving(command, folder, address, "/readyz") as process:
        yield Up(address, process.pid)
