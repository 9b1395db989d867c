"""Storing alone: what a crawl keeps, on both databases, with nothing fetched."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from load.bench.comparison import Comparison
from load.bench.crawl_run import fresh_database
from load.bench.measured import measured, module
from load.bench.postgresql import fresh_databases
from load.bench.results import Result, Tally, ratio
from load.bench.scene import Scene, say
from support.worker_crew import migrate

_RATE: Final = "tags/s"
_TWO: Final = "PostgreSQL, two processes"
_ABOUT: Final = """\
Images that were made beforehand go through the store's functions as a crawl calls them:
batches of 100 new images with 100 tags, each image with about 10.5 layers of which 3.5
are new, one transaction a batch, into an empty database; the summary and the end of the
crawl count too. One process, one connection. SQLite keeps the shared totals in the same
transaction; PostgreSQL queues what changed and settles it afterwards, which is counted
by itself. Two processes have a repository each, and their images share layers; neither
tries again, so that a deadlock would end the run. PostgreSQL runs on the same machine,
over a Unix socket, with its own defaults; the CPU of its processes is not in ours. A
commit on PostgreSQL waits for the disk, one on SQLite (WAL, `synchronous = NORMAL`)
does not."""


def run(scene: Scene) -> Result:
    """Rounds of both."""
    options, tally = scene.options, Tally()
    folder = scene.work_folder("ingest")
    with fresh_databases() as fresh:
        for number in range(options.rounds):
            say(f"ingest: round {number + 1}")
            _round(tally, "SQLite", fresh_database(folder), options.ingest_tags, folder)
            with fresh() as url:
                _round(tally, "PostgreSQL", url, options.ingest_tags, folder)
            with fresh() as url:
                _round_of_two(tally, url, options.ingest_tags, folder)
    note = f"{options.ingest_tags:,} tags in each round."
    grown = ratio(
        "two processes over one",
        tally.figure(_TWO, _RATE),
        tally.figure("PostgreSQL", _RATE),
        sense=">=",
        target=1.0,
    )
    return Result("ingest", options.rounds, (*tally.figures, grown), (note,))


def _round(tally: Tally, name: str, url: str, tags: int, folder: Path) -> None:
    done = measured(module("ingest_run", url, str(tags)), folder)
    found = json.loads(done.output)
    tally.note(name, _RATE, tags / found["wall_s"])
    tally.note(f"{name}: per CPU second of ours", "tags", tags / found["cpu_s"])
    if found["settling_s"]:
        whole_s = found["wall_s"] + found["settling_s"]
        tally.note(f"{name}, settling included", _RATE, tags / whole_s)
    tally.note(f"{name}: peak memory", "MiB", done.peak_bytes / 2**20)


def _round_of_two(tally: Tally, url: str, tags: int, folder: Path) -> None:
    migrate(url)
    commands = [module("ingest_run", url, str(tags), str(n), "2") for n in range(2)]
    with ThreadPoolExecutor(len(commands)) as pool:
        done = pool.map(lambda command: measured(command, folder), commands)
        found = [json.loads(run.output) for run in done]
    tally.note(_TWO, _RATE, tags / max(each["wall_s"] for each in found))


COMPARISON: Final = Comparison("ingest", "Storing alone", _ABOUT, run)
