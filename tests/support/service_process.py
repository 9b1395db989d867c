"""`weighbridge serve` or `up` as a process of its own, over a PostgreSQL database."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from support.serving import log_of
from support.wait import wait_in_thread
from weighbridge.store.schema import upgrade
from weighbridge.store.session import open_database

Command = Literal["serve", "up"]
_SERVES: Final = re.compile(r"^serves  (http://\S+)$", re.MULTILINE)
_END_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Service:
    """One that runs."""

    url: str
    popen: "subprocess.Popen[bytes]"
    folder: Path

    @property
    def log(self) -> str:
        return log_of(self.folder)


@contextmanager
def service_process(
    command: Command, folder: Path, database_url: str, *registries: dict[str, object]
) -> Iterator[Service]:
    """Over a database that is brought to today's schema first; ended with the block.

    registries: entries of the configuration
    """
    database = open_database(database_url)
    upgrade(database)
    database.close()
    # JSON is YAML.
    settings = {"database_url": database_url, "registries": list(registries)}
    (folder / "weighbridge.yaml").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as stream:
        # A port that the system chooses: nobody else has it.
        popen = subprocess.Popen(
            [sys.executable, "-m", "weighbridge", command, "--bind", "127.0.0.1:0"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=stream,
        )
    try:
        yield Service(_served_at(popen, folder), popen, folder)
    finally:
        popen.terminate()
        try:
            popen.wait(_END_S)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()


def _served_at(popen: "subprocess.Popen[bytes]", folder: Path) -> str:
    """The URL that it says it serves at."""

    def found() -> re.Match[str] | None:
        return _SERVES.search(log_of(folder))

    def is_ready() -> bool:
        assert popen.poll() is None, log_of(folder)
        return found() is not None

    wait_in_thread(is_ready, "it serves", seen=lambda: log_of(folder))
    match = found()
    assert match is not None
    return match[1]
