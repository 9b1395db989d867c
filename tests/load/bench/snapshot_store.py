"""A database with many repositories, and a writer that does not let it rest.

    python -m load.bench.snapshot_store fill DATABASE_URL REPOSITORIES
    python -m load.bench.snapshot_store write DATABASE_URL SECONDS

Each repository has four tags of different images, so that it has all its series.
"""

import itertools
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import select

from load.bench.ingest_run import BATCH, image
from support.answering import keep_sizes
from support.of_one import close_crawl, open_crawl
from support.store_world import a_result, an_entry
from weighbridge.domain.image.document import Image
from weighbridge.domain.image.platform import DEFAULT
from weighbridge.domain.size.confidence import Uncompressed
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.leases.claiming import claim
from weighbridge.store.models import storage_scopes
from weighbridge.store.read_model.summaries import refresh_summary
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.schema import upgrade
from weighbridge.store.session import Connection, Database, open_database
from weighbridge.store.tags.applying import Move, apply_moves

TAGS: Final = 4
_IMAGES: Final = 400
_PAUSE_S: Final = 0.2
_TAGS_A_WRITE: Final = 50
_NOW: Final = datetime(2026, 1, 2, tzinfo=UTC)


def fill(database: Database, repositories: int) -> None:
    """All in a few transactions: nobody reads meanwhile."""
    images = [image(number) for number in range(_IMAGES)]
    with database.write() as connection:
        for start in range(0, _IMAGES, BATCH):
            keep_documents(connection, images[start : start + BATCH], {})
        ids = _repositories(connection, repositories)
        _measure(connection, images)
    for start in range(0, len(ids), BATCH):
        with database.write() as connection:
            for repository in ids[start : start + BATCH]:
                first = repository * TAGS % _IMAGES
                _look(connection, repository, images[first : first + TAGS])


def write(database: Database, seconds: float) -> int:
    """New images into one repository after the other; how many tags were written."""
    with database.write() as connection:
        ids = _repositories(connection, 50)
    ends_at, numbers = time.monotonic() + seconds, itertools.count(10**6)
    written = 0
    for repository in itertools.cycle(ids):
        if time.monotonic() > ends_at:
            return written
        images = [image(next(numbers)) for _ in range(_TAGS_A_WRITE)]
        with database.write() as connection:
            keep_documents(connection, images, {})
            _look(connection, repository, images)
        written += len(images)
        time.sleep(_PAUSE_S)
    return written


def _repositories(connection: Connection, count: int) -> list[int]:
    registry = put_registry(connection, an_entry(), _NOW)
    names = [f"team-{n % 97:02d}/service-{n:06d}" for n in range(count)]
    return sorted(put_repositories(connection, registry, names, _NOW).values())


def _look(connection: Connection, repository: int, images: Sequence[Image]) -> None:
    """One whole crawl that finds these images."""
    now = datetime.now(UTC)
    taken = claim(connection, repository, now=now, lease_s=60)
    assert taken is not None
    opened = open_crawl(connection, taken, now)
    moves = [
        Move(f"v{found.digest[7:19]}", found.digest, _NOW + timedelta(minutes=n))
        for n, found in enumerate(images)
    ]
    apply_moves(connection, taken, moves, now)
    refresh_summary(connection, repository, now, [DEFAULT])
    close_crawl(connection, taken, opened.id, a_result(), now, now)


def _measure(connection: Connection, images: Sequence[Image]) -> None:
    """Every layer has three times its compressed size, as if its end had been read."""
    layers = {layer.digest: layer for found in images for layer in found.layers}
    scope_id = connection.execute(select(storage_scopes.c.id)).scalar_one()
    keep_sizes(
        connection,
        scope_id,
        {
            digest: Uncompressed("trailer", size, size, size, "")
            for digest, layer in layers.items()
            if (size := 3 * layer.compressed_bytes)
        },
        _NOW,
    )


def main(what: str, url: str, count: int) -> None:
    """Fill an empty database, or write into one that was filled."""
    database = open_database(url)
    try:
        upgrade(database)
        if what == "fill":
            fill(database, count)
        else:
            print(json.dumps(write(database, count)))
    finally:
        database.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
