"""How large the database and Redis grow: `scripts/scaling`, or `--help`.

Stores tags by the functions that a crawl calls, in repositories of REPOSITORY tags,
into SQLite and into PostgreSQL, and measures at each of the sizes. What a tag takes is
the slope of a straight line through them; how far the line is from what was measured is
said beside it.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import linear_regression
from typing import Final

from sqlalchemy import Connection, func, select, text

from load.bench.ingest_run import Clock, batches, store
from load.bench.machine import machine_facts
from load.bench.postgresql import fresh_databases
from load.bench.report import number
from load.bench.scene import say
from support.redis_server import a_redis
from weighbridge.jobs.redis.broker import redis_client
from weighbridge.jobs.redis.over_celery import CeleryJobs
from weighbridge.ports.job_names import CRAWL
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.models import SCHEMA
from weighbridge.store.schema import upgrade
from weighbridge.store.session import Database, open_database

REPOSITORY: Final = 10_000
"""Tags of each repository; a divisor of all sizes."""
SIZES: Final = (10_000, 30_000, 100_000, 300_000)
FAR: Final = 100_000_000
MESSAGES: Final = (0, 10_000, 30_000)
_PAGE: Final = Path(__file__).parents[3] / "docs" / "scaling.md"
_BEGIN: Final = "<!-- measured by scripts/scaling -->\n"
_END: Final = "<!-- end of what was measured -->\n"
_GIB: Final = 2**30


@dataclass(frozen=True, slots=True)
class Measured:
    """A database with so many tags.

    rows:   of all tables
    bytes:  of the whole database, with its indexes
    log_bytes: written to PostgreSQL's write-ahead log since the last size
    rate:   tags a second since the last size, what was settled afterwards included
    """

    tags: int
    rows: int
    bytes: int
    log_bytes: int
    rate: float


@dataclass(frozen=True, slots=True)
class Line:
    """The straight line through what was measured.

    slope:    of one thing more
    error:    the largest difference from what was measured, as a part of that
    slopes:   the least and the greatest slope between two sizes in a row
    """

    slope: float
    at_zero: float
    error: float
    slopes: tuple[float, float]

    def at(self, count: int) -> float:
        return self.at_zero + self.slope * count


def line(points: Sequence[tuple[int, int]]) -> Line:
    """Of sizes and what was measured at each, two or more."""
    counts, values = zip(*points, strict=True)
    slope, at_zero = linear_regression(counts, values)
    errors = [abs(at_zero + slope * n - value) / value for n, value in points if value]
    steps = [(after - before) / (n - m) for (m, before), (n, after) in pairwise(points)]
    return Line(slope, at_zero, max(errors), (min(steps), max(steps)))


def main() -> None:
    """Measure, print, and put it into docs/scaling.md if asked to."""
    parser = argparse.ArgumentParser(prog="scripts/scaling", description=__doc__)
    parser.add_argument("--size", type=int, action="append", help="repeatable")
    parser.add_argument("--write", action="store_true", help=f"into {_PAGE.name}")
    given = parser.parse_args()
    sizes = tuple(given.size or SIZES)
    if len(sizes) < 2 or any(size % REPOSITORY for size in sizes):
        parser.error(f"two sizes or more, each a multiple of {REPOSITORY:,}")
    parts = [_facts(sizes)]
    for name, opened in (("SQLite", _sqlite), ("PostgreSQL", _postgresql)):
        with opened() as database:
            found = [_shown(name, m) for m in _grown(database, sorted(sizes))]
        parts.append(_table(name, found))
    parts.append(_redis())
    told = "\n".join(parts)
    print(told)
    if given.write:
        page = _PAGE.read_text()
        before, _, rest = page.partition(_BEGIN)
        _, _, after = rest.partition(_END)
        _PAGE.write_text(f"{before}{_BEGIN}\n{told}\n{_END}{after}")


def _grown(database: Database, sizes: Sequence[int]) -> Iterator[Measured]:
    """Store up to each size, and measure there."""
    stored, log_bytes = 0, _log_bytes(database)
    for size in sizes:
        clock, began = Clock(), stored
        while stored < size:
            images = batches(stored, stored + REPOSITORY)
            store(database, f"team/app{stored // REPOSITORY}", images, clock)
            stored += REPOSITORY
            if not database.settles_at_once:
                with clock:
                    settle_all(database)
        with database.read() as connection:
            rows = sum(_count(connection, name) for name in SCHEMA.tables)
        written, log_bytes = _log_bytes(database) - log_bytes, _log_bytes(database)
        rate = (stored - began) / clock.wall_s
        yield Measured(stored, rows, _bytes(database), written, rate)


def _count(connection: Connection, table: str) -> int:
    rows = select(func.count()).select_from(SCHEMA.tables[table])
    return int(connection.execute(rows).scalar_one())


def _bytes(database: Database) -> int:
    with database.read() as connection:
        if connection.dialect.name == "postgresql":
            asked = "SELECT pg_database_size(current_database())"
        else:
            asked = (
                "SELECT page_count * page_size"
                " FROM pragma_page_count(), pragma_page_size()"
            )
        return int(connection.execute(text(asked)).scalar_one())


def _log_bytes(database: Database) -> int:
    """Written to PostgreSQL's write-ahead log so far; SQLite keeps only its last."""
    with database.read() as connection:
        if connection.dialect.name != "postgresql":
            return 0
        asked = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"
        return int(connection.execute(text(asked)).scalar_one())


@contextmanager
def _sqlite() -> Iterator[Database]:
    with (
        tempfile.TemporaryDirectory("-weighbridge-scaling") as folder,
        _opened(f"sqlite:///{folder}/w.db") as database,
    ):
        yield database


@contextmanager
def _postgresql() -> Iterator[Database]:
    with ExitStack() as stack:
        fresh = stack.enter_context(fresh_databases())
        yield stack.enter_context(_opened(stack.enter_context(fresh())))


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = open_database(url)
    try:
        upgrade(database)
        yield database
    finally:
        database.close()


def _shown(name: str, measured: Measured) -> Measured:
    say(f"{name}: {measured}")
    return measured


def _facts(sizes: Sequence[int]) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in machine_facts().items())
    flags = "" if tuple(sizes) == SIZES else "".join(f" --size {n}" for n in sizes)
    today = datetime.now(UTC).date().isoformat()
    return f"`scripts/scaling{flags}`, {today}; {facts}.\n"


def _table(name: str, found: Sequence[Measured]) -> str:
    rows = [
        f"| {m.tags:,} | {m.rows:,} | {number(m.bytes / _GIB)} "
        f"| {number(m.log_bytes / _GIB) if m.log_bytes else 'not kept'} "
        f"| {number(m.rate)} |"
        for m in found
    ]
    of_rows = line([(m.tags, m.rows) for m in found])
    of_bytes = line([(m.tags, m.bytes) for m in found])
    low, high = (number(slope * FAR / _GIB) for slope in of_bytes.slopes)
    far_rows = number(of_rows.at(FAR) / 1e9)
    far_bytes = number(of_bytes.at(FAR) / _GIB)
    return "\n".join(
        [
            f"### {name}",
            "",
            "| tags | rows | GiB | GiB of log since the row above | tags/s stored |",
            "|---|---|---|---|---|",
            *rows,
            "",
            f"- Rows a tag: {number(of_rows.slope)}; the line is within"
            f" {number(100 * of_rows.error)} % of each size.",
            f"- Bytes a tag: {number(of_bytes.slope)}; the line is within"
            f" {number(100 * of_bytes.error)} % of each size.",
            f"- {FAR:,} tags, extrapolated: {far_rows} billion rows and {far_bytes}"
            f" GiB; {low} to {high} GiB by the least and the greatest slope between two"
            " sizes.",
            "",
        ]
    )


def _redis() -> str:
    """What waits in Redis, by how many jobs wait."""
    with a_redis() as server:
        jobs, client = CeleryJobs(server.url), redis_client(server.url)
        try:
            points = []
            sent = 0
            for count in MESSAGES:
                for each in range(sent, count):
                    jobs.put(CRAWL, f"registry-{each}")
                sent = count
                points.append((count, int(client.info("memory")["used_memory"])))
        finally:
            jobs.close()
            client.close()
    found = line(points)
    rows = [f"| {count:,} | {number(used / 2**20)} |" for count, used in points]
    return "\n".join(
        [
            "### Redis",
            "",
            "| jobs that wait | MiB |",
            "|---|---|",
            *rows,
            "",
            f"- Bytes a job that waits, with its mark: {number(found.slope)}; the line"
            f" is within {number(100 * found.error)} % of each size.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
