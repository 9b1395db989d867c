"""`weighbridge crawl` as a process of its own, checked and measured."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from load.bench.measured import Run, measured, weighbridge
from load.bench.results import Tally


@dataclass(frozen=True, slots=True)
class Crawled:
    """One crawl.

    seconds: of the crawl alone, as it reports them; `run` has the whole process
    """

    run: Run
    seconds: float
    tags: int
    requests: int
    bytes_read: int
    weighed_bytes: int

    @property
    def rate(self) -> float:
        """Tags a second of the crawl alone."""
        return self.tags / self.seconds

    @property
    def cpu_per_thousand(self) -> float:
        """CPU seconds of the whole process for 1,000 tags."""
        return self.run.cpu_s / self.tags * 1000


def crawled(address: str, database: str, folder: Path, tags: int) -> Crawled:
    """Crawl a whole registry; raises RuntimeError unless every tag was seen well."""
    return crawled_by(crawl_command(address, database), folder, tags)


def crawled_by(command: Sequence[str], folder: Path, tags: int) -> Crawled:
    """The same by a command of the caller's that prints JSON."""
    run = measured(command, folder)
    found = json.loads(run.output)
    if found["tags"] != tags or found["errors"]:
        raise RuntimeError(f"{found['tags']} of {tags} tags, {found['errors'][:3]}")
    return Crawled(
        run,
        found["seconds"],
        tags,
        found["requests"],
        found["bytes_read"],
        found["weighed_bytes"],
    )


def crawl_command(address: str, database: str) -> list[str]:
    """Without measuring: no peer asks for the ends of layers."""
    return weighbridge(
        *("crawl", address, "--database", database, "--no-measure", "-o", "json")
    )


def fresh_database(folder: Path) -> str:
    """The URL of a file that is not there yet."""
    path = folder / "crawl.db"
    for name in (path, path.with_suffix(".db-wal"), path.with_suffix(".db-shm")):
        name.unlink(missing_ok=True)
    return f"sqlite:///{path}"


@contextmanager
def a_fresh_file(folder: Path) -> Iterator[str]:
    """The same for the length of a block, as `postgresql.Fresh` gives a database."""
    yield fresh_database(folder)


def note_cost(tally: Tally, name: str, done: Crawled) -> None:
    """What the crawling process used in this round."""
    tally.note(f"{name}: CPU", "s per 1,000 tags", done.cpu_per_thousand)
    tally.note(f"{name}: peak memory", "MiB", done.run.peak_bytes / 2**20)
