"""A database, a configuration, and a folder for those who work over them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import update

from support.database import Engine, a_database_url
from weighbridge.store.models import jobs, repositories
from weighbridge.store.session import Database, open_database

_PAST: Final = datetime(2020, 1, 1, tzinfo=UTC)
_POLICIES: Final = [
    {"name": "heavy", "max_compressed": "400MB", "severity": "critical"},
    {
        "name": "all",
        "max_growth": "25%",
        "min_growth": "1MB",
        "max_layers": 20,
        "max_uncompressed": "1GB",
        "max_deduplicated": "3GB",
    },
]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a registry called `near` is crawled."""

    folder: Path
    database_url: str
    database: Database
    registry_url: str

    def configure(self, more: Mapping[str, object]) -> Path:
        """The file of the configuration, with further top-level keys."""
        path = self.folder / "weighbridge.yaml"
        configured = {
            "database_url": self.database_url,
            "registries": [{"name": "near", "url": self.registry_url}],
            "policies": _POLICIES,
            **more,
        }
        path.write_text(json.dumps(configured))  # JSON is YAML.
        return path


@contextmanager
def a_place(folder: Path, engine: Engine, registry_url: str) -> Iterator[Place]:
    """With an empty database, until the block ends."""
    with a_database_url(folder, engine) as url:
        database = open_database(url)
        try:
            yield Place(folder, url, database, registry_url)
        finally:
            database.close()


def make_all_due(database: Database) -> None:
    """As if nothing had been crawled for long."""
    with database.write() as connection:
        connection.execute(
            update(repositories).values(due_at=_PAST, last_crawl_at=_PAST)
        )
        connection.execute(update(jobs).values(due_at=_PAST))
