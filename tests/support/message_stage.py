"""`weighbridge up` over a database whose outbox a test fills: who is told, and how."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from support.database import Engine, a_database_url
from support.serving import free_address, serving
from support.wait import wait_in_thread
from weighbridge.store.session import Database, open_database


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Stage:
    """A database, and as many services over it as a test wants."""

    folder: Path
    url: str
    database: Database

    @contextmanager
    def up(
        self, *more: Mapping[str, object], **channels: str
    ) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
        """Its address and process; webhooks by name, with where they are.

        more: further channels
        """
        address = free_address()
        home = self.folder / address.partition(":")[2]
        home.mkdir()
        configured = {
            "database_url": self.url,
            "channels": [
                *more,
                *(
                    {
                        "name": name,
                        "kind": "webhook",
                        "url": url,
                        "allow_private": True,
                        "plain_http": True,
                    }
                    for name, url in channels.items()
                ),
            ],
        }
        (home / "weighbridge.yaml").write_text(json.dumps(configured))
        command = [sys.executable, "-m", "weighbridge", "up", "--bind", address]
        with serving(command, home, address, "/readyz") as process:
            yield address, process


@contextmanager
def a_message_stage(folder: Path, engine: Engine) -> Iterator[Stage]:
    """An empty outbox."""
    with ExitStack() as stack:
        url = stack.enter_context(a_database_url(folder, engine))
        database = open_database(url)
        stack.callback(database.close)
        yield Stage(folder, url, database)


def wait_for(condition: Callable[[], object], what: str) -> None:
    wait_in_thread(lambda: bool(condition()), what)
