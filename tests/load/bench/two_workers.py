"""One registry that two workers crawl together, beside one worker alone."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from load.bench.comparison import Comparison
from load.bench.many_workers import workers
from load.bench.postgresql import Fresh, fresh_databases
from load.bench.results import Result, Tally, ratio
from load.bench.scene import Scene, say
from support.database_dump import Dump, differences, dump_of_url
from support.process_group import busy_share, core_seconds
from support.redis_server import a_redis
from support.replica.fleet import Fleet
from support.replica.fleet_totals import fleet_totals
from support.replica.process import Replica, fleet_replica

FLEET: Final = Fleet(repositories=200, tags=100_000, largest=10_000)
DELAY_MS: Final = 50
CONCURRENCY: Final = 32
_TWICE: Final = "% of all images"
_ABOUT: Final = f"""\
A registry of {FLEET.tags:,} tags in {FLEET.repositories} repositories, one of which
has {FLEET.largest:,}, is crawled for the first time into PostgreSQL by one worker and
by two, each `weighbridge worker --concurrency 1`. Images are in a repository of their
own, but for each 25th repository, which has those of the one before it. The two
databases must then be equal, row by row. Fetched twice are the requests for a manifest
that two workers make and one does not, as a share of all images. Everything, the
registry and PostgreSQL too, is on the same cores. {DELAY_MS} ms away, the registry's
limit of {CONCURRENCY} requests at once holds for both workers together, so that a
second one can add only what the first leaves of it."""


@dataclass(frozen=True, slots=True)
class _Done:
    seconds: float
    cpu_s: float
    busy: float
    manifests: int
    dump: Dump


def run(scene: Scene) -> Result:
    """Rounds of one and of two, near and far."""
    tally, folder = Tally(), scene.work_folder("two-workers")
    images = fleet_totals(FLEET).images
    with (
        fresh_databases() as fresh,
        fleet_replica(FLEET) as near,
        fleet_replica(FLEET, delay_ms=DELAY_MS) as far,
    ):
        for number in range(scene.options.rounds):
            say(f"two-workers: round {number + 1}")
            for where, replica in (("near", near), (f"{DELAY_MS} ms away", far)):
                one = _crawled(folder, fresh, replica, 1)
                two = _crawled(folder, fresh, replica, 2)
                if unequal := differences(one.dump, two.dump):
                    raise RuntimeError(f"the databases differ:\n{unequal}")
                for who, done in (("one worker", one), ("two workers", two)):
                    name = f"{where}, {who}"
                    tally.note(name, "tags/s", FLEET.tags / done.seconds)
                    tally.note(f"{name}: cores busy", "%", 100 * done.busy)
                    cost = 1_000_000 * done.cpu_s / FLEET.tags
                    tally.note(f"{name}: CPU of the workers", "µs a tag", cost)
                extra = 100 * (two.manifests - one.manifests) / images
                tally.note(f"{where}: fetched twice", _TWICE, extra)
    grown = tuple(
        ratio(
            f"{where}: two workers over one",
            tally.figure(f"{where}, two workers", "tags/s"),
            tally.figure(f"{where}, one worker", "tags/s"),
        )
        for where in ("near", f"{DELAY_MS} ms away")
    )
    figures = [
        replace(figure, sense="<=", target=1.0) if figure.unit == _TWICE else figure
        for figure in tally.figures
    ]
    note = "The databases were equal in every round."
    return Result("two-workers", scene.options.rounds, (*figures, *grown), (note,))


def _crawled(folder: Path, fresh: Fresh, replica: Replica, count: int) -> _Done:
    with fresh() as url, a_redis() as redis:
        config = folder / "weighbridge.yaml"
        configured = {
            "database_url": url,
            "redis_url": redis.url.reveal(),
            "registries": [
                {
                    "name": "near",
                    "url": replica.url,
                    "interval": "1d",
                    "limits": {"concurrency": CONCURRENCY},
                }
            ],
        }
        config.write_text(json.dumps(configured))  # JSON is YAML.
        replica.reset_counts()
        with workers(folder, redis, url, config, count) as crew:
            before = core_seconds()
            seconds, cpu_s = crew.crawl(FLEET.repositories)
            busy = busy_share(before, core_seconds())
        manifests = replica.counts().get("get_manifest", 0)
        return _Done(seconds, cpu_s, busy, manifests, dump_of_url(url))


COMPARISON: Final = Comparison(
    "two-workers", "Two workers on one registry", _ABOUT, run
)
