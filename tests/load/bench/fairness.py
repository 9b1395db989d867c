"""One registry that answers, beside others that do not."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

from sqlalchemy import func, select

from load.bench.comparison import Comparison
from load.bench.crawl_run import a_fresh_file
from load.bench.measured import weighbridge
from load.bench.postgresql import Fresh, fresh_databases
from load.bench.results import Result, Tally, ratio
from load.bench.scene import Scene, Server, say
from support.redis_server import a_redis
from support.serving import free_address, serving
from support.troubled_answers import LATE_S, NAMES, TROUBLES, Trouble, troubled_answers
from support.wait import wait_in_thread
from support.worker_crew import Crew
from weighbridge.store.models import registries, repositories
from weighbridge.store.schema import upgrade
from weighbridge.store.session import Database, open_database

DELAY_MS: Final = 50
TAGS: Final = 1_000
REPOSITORIES: Final = 40
_AT_MOST: Final = 1.2
_PATIENCE_S: Final = 600.0
_ALONE: Final = "alone"
_BESIDE: Final[dict[str, Sequence[Trouble]]] = {
    _ALONE: (),
    **{f"beside one {trouble}": (trouble,) for trouble in TROUBLES},
    "beside four silent": ("silent",) * 4,
}
Way: TypeAlias = Callable[[Path, str, Path, Database], AbstractContextManager[float]]
"""Whoever crawls while the block runs, over a database and a configuration; the moment
when it began."""
_ABOUT: Final = f"""\
A registry of {TAGS:,} tags in {REPOSITORIES} repositories, {DELAY_MS} ms away, is
crawled for the first time, alone and beside registries that list {len(NAMES)}
repositories and then are in trouble: a silent one takes each request and never
answers, a late one answers after {LATE_S:g} s, a limited one says 429 to each, a closed
one ends each connection. Counted is from the start of the process, or with workers
from that of the scheduler, until all {REPOSITORIES} repositories of the good one are
stored. One process is `weighbridge up` over SQLite; a worker is `weighbridge worker`
over PostgreSQL and Redis, as it is usually started."""


def run(scene: Scene) -> Result:
    """Rounds of one process and of a worker."""
    tally, folder = Tally(), scene.work_folder("fairness")
    good = scene.replay(TAGS, DELAY_MS, repositories=REPOSITORIES)
    with fresh_databases() as fresh:
        ways: list[tuple[str, Fresh, Way]] = [
            ("one process", lambda: a_fresh_file(folder), _one_process),
            ("a worker", fresh, _a_worker),
        ]
        for number in range(scene.options.rounds):
            say(f"fairness: round {number + 1}")
            for who, made, way in ways:
                for what, troubles in _BESIDE.items():
                    seconds = _one(folder, made, way, good, troubles)
                    tally.note(f"{who}, {what}", "s", seconds)
    figures = list(tally.figures)
    for who, _, _ in ways:
        alone = tally.figure(f"{who}, {_ALONE}", "s")
        for what in list(_BESIDE)[1:]:
            name = f"{who}, {what}: times as long as alone"
            beside = tally.figure(f"{who}, {what}", "s")
            found = ratio(name, beside, alone)
            figures.append(replace(found, sense="<=", target=_AT_MOST))
    return Result("fairness", scene.options.rounds, tuple(figures))


def _one(
    folder: Path, made: Fresh, way: Way, good: Server, troubles: Sequence[Trouble]
) -> float:
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        url = stack.enter_context(made())
        bad = [stack.enter_context(troubled_answers(t)) for t in troubles]
        named = {f"bad-{n}": url for n, url in enumerate(bad)} | {"good": good.url}
        configured = {
            "database_url": url,
            "registries": [{"name": name, "url": at} for name, at in named.items()],
        }
        config = scratch / "weighbridge.yaml"
        config.write_text(json.dumps(configured))  # JSON is YAML.
        database = open_database(url)
        stack.callback(database.close)
        upgrade(database)
        began = stack.enter_context(way(scratch, url, config, database))
        wait_in_thread(
            lambda: _complete(database) == good.repositories,
            "the good registry is stored",
            deadline_s=_PATIENCE_S,
            seen=lambda: _complete(database),
        )
        return time.monotonic() - began


def _complete(database: Database) -> int:
    with database.read() as connection:
        found: int = connection.execute(
            select(func.count())
            .select_from(repositories.join(registries))
            .where(
                registries.c.name == "good",
                repositories.c.last_complete_crawl_at.is_not(None),
            )
        ).scalar_one()
    return found


@contextmanager
def _one_process(folder: Path, _: str, config: Path, __: Database) -> Iterator[float]:
    address, began = free_address(), time.monotonic()
    command = weighbridge("up", "--bind", address, "--config", str(config))
    with serving(command, folder, address, "/healthz"):
        yield began


@contextmanager
def _a_worker(
    folder: Path, url: str, config: Path, database: Database
) -> Iterator[float]:
    with a_redis() as redis:
        configured = json.loads(config.read_text())
        configured["redis_url"] = redis.url.reveal()
        config.write_text(json.dumps(configured))
        crew = Crew(folder, redis, url, database, config)
        try:
            worker = crew.worker()
            crew.wait_for(lambda: worker.has_begun(2), "the worker")
            began = time.monotonic()
            crew.quick_scheduler()
            yield began
        finally:
            for process in crew.processes:
                process.kill()


COMPARISON: Final = Comparison(
    "fairness", "A registry beside others in trouble", _ABOUT, run
)
