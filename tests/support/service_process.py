"""`weighbridge serve` or `up` as a process of its own, over a PostgreSQL database."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from support.serving import free_address, log_of, serving
from weighbridge.store.schema import upgrade
from weighbridge.store.session import open_database

Command = Literal["serve", "up"]


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
    address = free_address()
    run = [sys.executable, "-m", "weighbridge", command, "--bind", address]
    with serving(run, folder, address, "/readyz") as popen:
        yield Service(f"http://{address}", popen, folder)
