"""`weighbridge up` as a process of its own, for the length of a block."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from support.serving import PLAIN, free_address, serving

_WEIGHBRIDGE: Final = (sys.executable, "-m", "weighbridge")
_DATABASE: Final = ("--database", "w.db")


@dataclass(frozen=True, slots=True)
class Up:
    """One that runs: where it serves, and its process for signals."""

    address: str
    pid: int

    def get(self, path: str) -> str:
        return httpx.get(
            f"http://{self.address}{path}", trust_env=False, verify=PLAIN
        ).text


def crawl_once(folder: Path, configuration: str) -> None:
    """Crawl into the database that `weighbridge_up` then finds in this folder: its
    first snapshot has everything, and the next may be 15 seconds away."""
    _configure(folder, configuration)
    command = [*_WEIGHBRIDGE, "crawl", *_DATABASE]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


@contextmanager
def weighbridge_up(folder: Path, configuration: str, *options: str) -> Iterator[Up]:
    """`weighbridge up` in a folder with this configuration, and its database there."""
    _configure(folder, configuration)
    address = free_address()
    command = [*_WEIGHBRIDGE, "up", "--bind", address, *_DATABASE, *options]
    with serving(command, folder, address, "/readyz") as process:
        yield Up(address, process.pid)


def _configure(folder: Path, configuration: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "weighbridge.yaml").write_text(configuration, encoding="utf-8")
