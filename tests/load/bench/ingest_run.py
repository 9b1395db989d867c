"""Stores images that nobody had to fetch, and says how long the store took.

    python -m load.bench.ingest_run DATABASE_URL TAGS [PART PARTS]

Each batch of 100 new images is made before the clock runs. What is timed is what a
crawl does with it: one transaction with the documents and the tags that point at them,
and at the end the summary and the end of the crawl. On PostgreSQL the shared totals are
settled afterwards, and timed by themselves.

Of several parts each is a process that has a repository and each so many-th batch, made
before the first is stored; images of one part share layers with those of the others.
"""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from typing import Final

from support.images_oci import GZIP_LAYER, OCI_CONFIG, OCI_MANIFEST
from support.of_one import close_crawl, open_crawl, refresh_if_stale
from support.store_world import a_result, an_entry
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Descriptor, Image, Layer, Line, Manifest
from weighbridge.domain.image.platform import DEFAULT
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.leases.claiming import Claim, claim
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.schema import upgrade
from weighbridge.store.session import Connection, Database, open_database
from weighbridge.store.tags.applying import Move, apply_moves

BATCH: Final = 100
SHARED: Final = 7
"""Layers of each image that others have too; 3 or 4 more are its own."""
_NOW: Final = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass(slots=True)
class Clock:
    """Adds up the wall clock and the CPU of the blocks that it is used around."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    _began: tuple[float, float] = field(default=(0.0, 0.0))

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        wall, cpu = self._began
        self.wall_s += time.perf_counter() - wall
        self.cpu_s += time.process_time() - cpu


def batches(first: int, end: int) -> Iterator[list[Image]]:
    """New images by their numbers, a hundred at a time."""
    for start in range(first, end, BATCH):
        yield [image(number) for number in range(start, min(start + BATCH, end))]


def image(number: int) -> Image:
    """About 10.5 layers, 3.5 of them new; each with a line, and a line for metadata."""
    shared = [_layer(f"shared {number // 1000} {n}") for n in range(SHARED)]
    own = [_layer(f"own {number} {n}") for n in range(3 + number % 2)]
    layers = (*shared, *own)
    lines = [
        Line(f"RUN step {n} of {number % 50}", _NOW, n) for n in range(len(layers))
    ]
    return Image(
        manifest=Manifest(
            digest=_digest(f"manifest {number}"),
            media_type=OCI_MANIFEST,
            manifest_bytes=2_000,
            config=Descriptor(OCI_CONFIG, _digest(f"config {number}"), 5_000),
            layers=layers,
        ),
        platform=DEFAULT,
        created_at=_NOW,
        diff_ids=tuple(_digest(f"{layer.digest} inside") for layer in layers),
        lines=(*lines, Line('CMD ["serve"]', _NOW, None)),
        history_alignment="exact",
    )


def ingest(
    database: Database, tags: int, part: int = 0, parts: int = 1
) -> dict[str, float]:
    """Seconds by name."""
    clock, settling = Clock(), Clock()
    own: Iterable[list[Image]] = islice(batches(0, tags), part, None, parts)
    if parts > 1:
        own = list(own)
    store(database, f"bench/app{part}", own, clock)
    if not database.settles_at_once:
        with settling:
            settle_all(database)
    return {
        "wall_s": clock.wall_s,
        "cpu_s": clock.cpu_s,
        "settling_s": settling.wall_s,
    }


def store(
    database: Database, name: str, images: Iterable[list[Image]], clock: Clock
) -> None:
    """All of a repository, as a crawl does that looks at it for the first time.

    images: those of each transaction; clock: what the store takes, without these
    """
    with clock, database.write() as connection:
        registry = put_registry(connection, an_entry(), _NOW)
        (repository,) = put_repositories(connection, registry, [name], _NOW).values()
        taken = claim(connection, repository, now=_NOW, lease_s=60)
        assert taken is not None
        opened = open_crawl(connection, taken, _NOW)
    for batch in images:
        with clock, database.write() as connection:
            keep_batch(connection, taken, batch)
    with clock, database.write() as connection:
        refresh_if_stale(connection, repository, _NOW, [DEFAULT])
        close_crawl(connection, taken, opened.id, a_result(), _NOW, _NOW)


def keep_batch(connection: Connection, taken: Claim, batch: Sequence[Image]) -> None:
    """What one transaction of a crawl keeps."""
    keep_documents(connection, batch, {})
    moves = [Move(f"v{image.digest[7:19]}", image.digest, None) for image in batch]
    apply_moves(connection, taken, moves, _NOW)


def _layer(name: str) -> Layer:
    digest = _digest(name)
    return Layer(GZIP_LAYER, digest, 70_000 + int(digest[-6:], 16))


def _digest(name: str) -> Digest:
    return Digest(f"sha256:{sha256(name.encode()).hexdigest()}")


def main(url: str, tags: int, *share: int) -> None:
    """Into a database of our own, empty at first."""
    database = open_database(url)
    try:
        upgrade(database)
        print(json.dumps(ingest(database, tags, *share)))
    finally:
        database.close()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
