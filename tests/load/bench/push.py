"""From a push that was accepted to its verdict, and to whoever is told of it."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

from load.bench.comparison import Comparison
from load.bench.crawl_run import a_fresh_file
from load.bench.measured import weighbridge
from load.bench.postgresql import Fresh, fresh_databases
from load.bench.push_place import PUSHED, PushPlace, a_push_place
from load.bench.results import Figure, Result, Tally
from load.bench.scene import Scene, say
from support.images_oci import Pusher, made_image, made_layer
from support.process_group import busy_share, core_seconds
from support.push_latency import Timed, multiply, spread
from support.redis_server import a_redis
from support.serving import serving
from support.wait import wait_in_thread
from support.worker_crew import Crew

A_SECOND: Final = 2
BULK: Final = 1_000
RATE: Final = 20
_BEGUN: Final = 20
"""Repositories that were crawled before the first push."""
Way: TypeAlias = Callable[[PushPlace], AbstractContextManager[None]]
"""Whoever works while the block runs."""
_MS: Final = "ms"
_ABOUT: Final = f"""\
Images that nobody has seen are pushed to docker-registry, {A_SECOND} a second, each to
a repository of its own; the registry tells us by its webhook. Each is over a limit, and
somebody is told. Counted is from the receipt of the webhook: until the verdict was
stored, and until the message had arrived. Once there is nothing else to do, and once
the same registry is crawled for the first time meanwhile: {BULK:,} other repositories,
at {RATE} requests a second, which is also the limit for what pushes ask. The registry
works on the same cores; how busy these were is beside it."""


def run(scene: Scene) -> Result:
    """Rounds of one process on both databases, and of a worker."""
    tally, count = Tally(), scene.options.pushes
    folder = scene.work_folder("push")
    with fresh_databases() as fresh:
        ways: list[tuple[str, Fresh, Way]] = [
            ("one process, SQLite", lambda: a_fresh_file(folder), one_process),
            ("one process, PostgreSQL", fresh, one_process),
            ("a worker, PostgreSQL", fresh, a_worker),
        ]
        for number in range(scene.options.rounds):
            say(f"push: round {number + 1}")
            for name, made, way in ways:
                for what, beside in (("idle", 0), ("beside a crawl", BULK)):
                    with (
                        tempfile.TemporaryDirectory(dir=folder) as scratch,
                        made() as url,
                        a_push_place(Path(scratch) / "push", url, RATE) as place,
                    ):
                        _one(tally, f"{name}, {what}", place, way, beside, count)
    figures = tuple(map(_with_target, tally.figures))
    note = f"{count:,} pushes of each kind in each round; p99 of so few is the longest."
    return Result("push", scene.options.rounds, figures, (note,))


@contextmanager
def one_process(place: PushPlace) -> Iterator[None]:
    """`up`."""
    config = str(place.configure({}))
    command = weighbridge("up", "--bind", place.address, "--config", config)
    with serving(command, place.folder, place.address, "/readyz"):
        yield


@contextmanager
def a_worker(place: PushPlace) -> Iterator[None]:
    """`serve`, `scheduler`, and a worker as it is usually started."""
    with a_redis() as redis:
        config = place.configure({"redis_url": redis.url.reveal()})
        crew = Crew(place.folder, redis, place.database_url, place.database, config)
        try:
            crew.start("serve", "--bind", place.address)
            worker = crew.worker()
            crew.wait_for(lambda: worker.has_begun(2), "the worker")
            crew.quick_scheduler()
            yield
        finally:
            for process in crew.processes:
                process.kill()


def _one(
    tally: Tally, who: str, place: PushPlace, way: Way, beside: int, count: int
) -> None:
    with Pusher(place.registry.url) as pusher:
        layers = [made_layer(f"layer {number}", b"x" * 99) for number in range(3)]
        pusher.push("bulk/seed", made_image(*layers), "1.0")
        multiply(place.registry, "bulk/seed", beside)
        with way(place):
            begun = min(1 + beside, _BEGUN)
            wait_in_thread(lambda: place.crawled() >= begun, "the crawl has begun")
            before, timed = core_seconds(), Timed()
            for number in range(count):
                timed.push(pusher, f"{PUSHED}app{number}")
                time.sleep(1 / A_SECOND)
            busy = busy_share(before, core_seconds())
            left = 1 + beside - place.crawled()
            place.wait_for_messages(count)
    if beside and left <= 0:
        raise RuntimeError("the crawl was over before the pushes")
    _note(tally, f"{who}: to the verdict", place.to_verdict())
    _note(tally, f"{who}: to the message", place.to_message())
    tally.note(f"{who}: cores busy", "%", 100 * busy)


def _note(tally: Tally, name: str, seconds: Mapping[str, float]) -> None:
    found = spread(seconds)
    tally.note(f"{name}, p50", _MS, 1000 * found.p50)
    tally.note(f"{name}, p99", _MS, 1000 * found.p99)


def _with_target(figure: Figure) -> Figure:
    if not figure.name.endswith("p99"):
        return figure
    return replace(figure, sense="<=", target=500.0)


COMPARISON: Final = Comparison("push", "A push, and who is told of it", _ABOUT, run)
