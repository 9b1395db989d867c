"""The inventory's metrics with many series, scraped while the database changes."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from load.bench.comparison import Comparison
from load.bench.crawl_run import fresh_database
from load.bench.measured import clean_environment, measured, module
from load.bench.results import Figure, Result, Tally
from load.bench.scene import Scene, say
from load.bench.scraping import scrape
from weighbridge.domain.series_budget import CORE_SERIES

_MOST_ROUNDS: Final = 3
_P99: Final = {20_000: 50.0, 100_000: 1_000.0}
"""Milliseconds that design asks for, by number of series."""
_ABOUT: Final = """\
The web application in a process of its own, over a SQLite file with as many
repositories as give so many series. Another process writes 50 new tags into one of the
repositories five times a second, so that every look at the database finds something
new: the snapshot is rendered again each 15 seconds. Scrapes come ten a second over one
connection and ask for gzip, as Prometheus does; a scrape ends with the last byte of its
body. The first scrape, which has to wait for the first snapshot, is told by itself."""


def run(scene: Scene) -> Result:
    """Rounds at each size."""
    options, tally = scene.options, Tally()
    rounds = min(options.rounds, _MOST_ROUNDS)
    for series in options.series:
        folder = scene.work_folder(f"snapshot-{series}")
        database = fresh_database(folder)
        say(f"snapshot: filling for {series:,} series")
        count = str(series // CORE_SERIES)
        measured(module("snapshot_store", "fill", database, count), folder)
        for number in range(rounds):
            say(f"snapshot: {series:,} series, round {number + 1}")
            _round(tally, f"{series:,}", database, series, options.scrape_s, folder)
    return Result("snapshot", rounds, tuple(map(_aimed, tally.figures)))


def _round(
    tally: Tally, name: str, database: str, series: int, seconds: int, folder: Path
) -> None:
    with _serving(database, 2 * series, folder) as port:
        first = scrape(port, 0)
        with _writing(database, seconds, folder):
            found = scrape(port, seconds)
    tally.note(f"{name}: scrape p99", "ms", found.p99_s * 1000)
    tally.note(
        f"{name}: scrape median",
        "ms",
        sorted(found.seconds)[len(found.seconds) // 2] * 1000,
    )
    tally.note(f"{name}: slowest scrape", "ms", max(found.seconds) * 1000)
    tally.note(f"{name}: first scrape", "ms", first.seconds[0] * 1000)
    tally.note(f"{name}: reading and rendering", "ms", found.render_s * 1000)
    tally.note(f"{name}: series", "in fact", found.series)
    tally.note(f"{name}: body as gzip", "kB", found.body_bytes / 1000)


def _aimed(figure: Figure) -> Figure:
    for series, most_ms in _P99.items():
        if figure.name == f"{series:,}: scrape p99":
            return Figure(figure.name, figure.unit, figure.values, "<=", most_ms)
    return figure


@contextmanager
def _serving(database: str, max_series: int, folder: Path) -> Iterator[int]:
    process = subprocess.Popen(
        module("snapshot_server", database, str(max_series)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=clean_environment(folder),
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.stdin.close()


@contextmanager
def _writing(database: str, seconds: int, folder: Path) -> Iterator[None]:
    process = subprocess.Popen(
        module("snapshot_store", "write", database, str(seconds)),
        stdout=subprocess.PIPE,
        env=clean_environment(folder),
    )
    with process:
        yield
        assert process.stdout is not None
        written = int(process.stdout.read())
    if process.returncode or written < seconds * 50:
        raise RuntimeError(f"only {written} tags were written in {seconds} s")


COMPARISON: Final = Comparison("snapshot", "Metrics of many repositories", _ABOUT, run)
