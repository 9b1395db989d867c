"""Many repositories of one tag beside one repository of as many tags."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from load.bench.comparison import Comparison
from load.bench.crawl_run import Crawled, a_fresh_file, crawled_by, fresh_database
from load.bench.many_workers import workers
from load.bench.measured import weighbridge
from load.bench.postgresql import Fresh, fresh_databases
from load.bench.results import Figure, Result, Sense, Tally
from load.bench.scene import Scene, Server, say
from support.redis_server import a_redis

DELAY_MS: Final = 50
CONCURRENCY: Final = 32
_LOOKS: Final = ("cold", "unchanged", "limits are new", "moved and judged")
_JUDGED: Final = _LOOKS[2:]
_POLICY: Final = {"name": "all", "max_compressed": "1GB", "max_growth": "900%"}
_SQLITE: Final = "one process, SQLite"
_POSTGRESQL: Final = "one process, PostgreSQL"
_WORKER: Final = "a worker, PostgreSQL"
_FAR: Final = f"{DELAY_MS} ms away, SQLite"
_CPU: Final = "ms of CPU a repository"
_WHOLE: Final = "s of CPU"
_RATE: Final = "repositories/s"
_SHARE: Final = f"% of what {CONCURRENCY} in flight can give"
_TARGETS: Final = {
    **{(f"{who}: cold", _CPU): 1.0 for who in (_SQLITE, _POSTGRESQL)},
    **{(f"{who}: unchanged", _CPU): 0.4 for who in (_SQLITE, _POSTGRESQL)},
    **{(f"{who}: {_LOOKS[3]}", _CPU): 2.0 for who in (_SQLITE, _POSTGRESQL)},
    (f"{_WORKER}: cold", _CPU): 2.5,
    (f"{_WORKER}: unchanged", _CPU): 1.0,
    **{(f"{_FAR}: {look}", _SHARE): 70.0 for look in _LOOKS[:2]},
}
Crawl: TypeAlias = Callable[[str], tuple[float, float]]
"""Crawls once more, by the name of the look; seconds, and CPU seconds."""
_ABOUT: Final = """\
A registry of many repositories with one tag each, beside one that has as many tags in
one repository; both answer from memory. Each is crawled four times into the same
database: when nothing of it is known; when nothing has changed; when still nothing has
changed, but there are other limits now, against which all is held; and when every tag
has moved, which is judged (by a worker: by the limits that hold by default). What a
repository costs is the difference between the two registries, divided by the number of
repositories: what it takes to start, and the cost of the tags, is in neither. The crawl
of the one repository stands beside it: a machine that others use, too, takes half as
long again at one time as at another, for both. CPU is that of our processes alone,
without the database's. A worker is `weighbridge worker` over PostgreSQL and Redis, with
one process for jobs; what it used before the first job is left out, and it measures no
layers.

50 ms away each answer waits on a timer of its own. 32 requests in flight could then do
32 / (0.050 s x requests a repository) repositories a second, which is what the shares
are of; start-up does not count."""


@dataclass(frozen=True, slots=True)
class _Both:
    """The two registries, and who crawls one of them for the length of a block."""

    small: Server
    large: Server
    folder: Path

    @contextmanager
    def a_process(self, server: Server, fresh: Fresh) -> Iterator[Crawl]:
        """`weighbridge crawl`, anew each time."""
        with fresh() as url:

            def crawl(look: str) -> tuple[float, float]:
                config = configure(self.folder, server, url, look)
                return _used(_crawled(server, config, self.folder))

            yield crawl

    @contextmanager
    def a_worker(self, server: Server, fresh: Fresh) -> Iterator[Crawl]:
        """One that goes on from crawl to crawl."""
        with fresh() as url, a_redis() as redis:
            more = {"redis_url": redis.url.reveal()}
            config = configure(self.folder, server, url, _LOOKS[0], more)
            with workers(self.folder, redis, url, config) as crew:
                yield lambda _: crew.crawl(server.repositories)


def run(scene: Scene) -> Result:
    """Rounds of one process on both databases, of a worker, and from far away."""
    tally, count = Tally(), scene.options.small
    folder = scene.work_folder("many-repositories")
    near = scene.replay(count, repositories=count)
    both = _Both(near, scene.replay(count, repositories=1), folder)
    far = scene.replay(count, DELAY_MS, repositories=count)
    with fresh_databases() as fresh:
        for number in range(scene.options.rounds):
            say(f"many-repositories: round {number + 1}")
            _round(tally, _SQLITE, both, both.a_process, lambda: a_fresh_file(folder))
            _round(tally, _POSTGRESQL, both, both.a_process, fresh)
            _round(tally, _WORKER, both, both.a_worker, fresh)
            _far(tally, far, folder)
    note = f"{count:,} repositories of one tag, and one of {count:,} tags."
    figures = tuple(map(_with_target, tally.figures))
    return Result("many-repositories", scene.options.rounds, figures, (note,))


def _round(
    tally: Tally,
    who: str,
    both: _Both,
    crawler: Callable[[Server, Fresh], AbstractContextManager[Crawl]],
    fresh: Fresh,
) -> None:
    cpu_s: dict[str, float] = {}
    # A worker keeps the limits that it was started with.
    looks = [look for look in _LOOKS if who != _WORKER or look != _LOOKS[2]]
    with crawler(both.large, fresh) as crawl:
        for look in looks:
            _move_before(look, both.large)
            cpu_s[look] = crawl(look)[1]
    with crawler(both.small, fresh) as crawl:
        for look in looks:
            _move_before(look, both.small)
            seconds, used_s = crawl(look)
            more_s = used_s - cpu_s[look]
            tally.note(f"{who}: {look}: of as many tags in one", _WHOLE, cpu_s[look])
            count = both.small.repositories
            tally.note(f"{who}: {look}", _CPU, 1000 * more_s / count)
            tally.note(f"{who}: {look}", _RATE, count / seconds)


def _far(tally: Tally, server: Server, folder: Path) -> None:
    url = fresh_database(folder)
    for look in _LOOKS:
        _move_before(look, server)
        config = configure(folder, server, url, look)
        done = _crawled(server, config, folder)
        each = done.requests / server.repositories
        possible = CONCURRENCY / (DELAY_MS / 1000 * each)
        rate = server.repositories / done.seconds
        tally.note(f"{_FAR}: {look}", _RATE, rate)
        tally.note(f"{_FAR}: {look}", _SHARE, 100 * rate / possible)


def _with_target(figure: Figure) -> Figure:
    target = _TARGETS.get((figure.name, figure.unit))
    if target is None:
        return figure
    sense: Sense = "<=" if figure.unit == _CPU else ">="
    return replace(figure, sense=sense, target=target)


def _crawled(server: Server, config: Path, folder: Path) -> Crawled:
    options = ("--config", str(config), "--no-measure", "-o", "json")
    return crawled_by(weighbridge("crawl", *options), folder, server.tags)


def _used(done: Crawled) -> tuple[float, float]:
    return done.seconds, done.run.cpu_s


def _move_before(look: str, server: Server) -> None:
    if look == _LOOKS[-1]:
        server.move_tags()


def configure(
    folder: Path,
    server: Server,
    url: str,
    look: str,
    more: Mapping[str, object] | None = None,
) -> Path:
    """The file of a configuration; JSON is YAML. Where all is to be judged, it has
    limits that nothing is over, else those that hold by default."""
    path = folder / "weighbridge.yaml"
    configured = {
        "database_url": url,
        "registries": [{"name": "near", "url": server.url, "interval": "1d"}],
        **({"policies": [_POLICY]} if look in _JUDGED else {}),
        **(more or {}),
    }
    path.write_text(json.dumps(configured))
    return path


COMPARISON: Final = Comparison(
    "many-repositories", "Many small repositories", _ABOUT, run
)
