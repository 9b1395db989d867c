"""A registry that tells of pushes, a database, and a receiver of messages."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from support.docker_registry import DockerRegistry
from support.message_sink import MessageSink, message_sink
from support.push_latency import telling
from support.pushing import notifying_registry
from support.serving import free_address
from support.wait import wait_in_thread
from weighbridge.store.models import pushes, repositories
from weighbridge.store.schema import upgrade
from weighbridge.store.session import Database, open_database

PUSHED: Final = "shop/"
"""What the names of all repositories that are pushed to begin with."""
_PATIENCE_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class PushPlace:
    """All that a service needs; `address` is where the registry sends its webhooks."""

    folder: Path
    registry: DockerRegistry
    sink: MessageSink
    address: str
    database_url: str
    database: Database
    requests_per_second: float

    def configure(self, more: Mapping[str, object]) -> Path:
        """The file of the configuration, with further top-level keys."""
        limits = {"requests_per_second": self.requests_per_second}
        registry = {"name": "near", "url": self.registry.url, "limits": limits}
        configured = {
            "database_url": self.database_url,
            "registries": [registry],
            **telling(self.sink),
            **more,
        }
        path = self.folder / "weighbridge.yaml"
        path.write_text(json.dumps(configured))  # JSON is YAML.
        return path

    def crawled(self) -> int:
        """Repositories that nobody pushed to and that were looked at."""
        with self.database.read() as connection:
            found: int = connection.execute(
                select(func.count()).where(
                    repositories.c.last_crawl_at.is_not(None),
                    repositories.c.name.not_like(f"{PUSHED}%"),
                )
            ).scalar_one()
        return found

    def to_verdict(self) -> dict[str, float]:
        """Seconds from the receipt of a push until its verdict was stored."""
        return {
            name: (done_at - received_at).total_seconds()
            for name, (received_at, done_at) in self._pushes().items()
            if done_at is not None
        }

    def to_message(self) -> dict[str, float]:
        """Seconds from the receipt of a push until the first message of it came."""
        received = {name: at for name, (at, _) in self._pushes().items()}
        return {
            item["repository"]: message.at - received[item["repository"]].timestamp()
            for message in reversed(self.sink.received)
            for item in message.items
            if item["repository"] in received
        }

    def wait_for_messages(self, count: int) -> None:
        """Until so many repositories were told of."""
        wait_in_thread(
            lambda: len(self.to_message()) == len(self.to_verdict()) == count,
            f"{count} pushes are told",
            deadline_s=_PATIENCE_S,
            seen=lambda: (len(self.to_verdict()), len(self.to_message())),
        )

    def _pushes(self) -> dict[str, tuple[datetime, datetime | None]]:
        """The first one of each repository."""
        with self.database.read() as connection:
            rows = connection.execute(
                select(pushes.c.repository, pushes.c.received_at, pushes.c.done_at)
                .where(pushes.c.repository.like(f"{PUSHED}%"))
                .order_by(pushes.c.id.desc())
            ).all()
        return {row.repository: (row.received_at, row.done_at) for row in rows}


@contextmanager
def a_push_place(
    folder: Path, database_url: str, requests_per_second: float
) -> Iterator[PushPlace]:
    """With an empty registry, until the block ends."""
    folder.mkdir()
    address = free_address()
    database = open_database(database_url)
    try:
        upgrade(database)
        with (
            message_sink() as sink,
            notifying_registry(folder / "registry", address) as registry,
        ):
            yield PushPlace(
                folder,
                registry,
                sink,
                address,
                database_url,
                database,
                requests_per_second,
            )
    finally:
        database.close()
