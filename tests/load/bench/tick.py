"""What a scheduler and a crawl ask again and again, at a million repositories."""

from collections.abc import Mapping
from contextlib import closing
from typing import Final

from load.bench.comparison import Comparison
from load.bench.crawl_run import fresh_database
from load.bench.postgresql import fresh_databases
from load.bench.results import Figure, Result, Tally
from load.bench.scene import Scene, say
from support.inventory_queries import CRAWL, LISTS, PUSH, SEARCHES, TICK, Asks
from support.large_inventory import fill
from support.plans import asked_by
from weighbridge.store.schema import upgrade
from weighbridge.store.session import open_database

_COUNT: Final = 1_000_000
_MOST_MS: Final = 10.0
_KINDS: Final[Mapping[str, Mapping[str, Asks]]] = {
    "tick": TICK,
    "crawl": CRAWL,
    "push": PUSH,
    "a list": {name: ask for name, ask in LISTS.items() if name not in SEARCHES},
    "a text in names": {name: LISTS[name] for name in SEARCHES},
}
_ABOUT: Final = f"""\
A database of {_COUNT:,} repositories with a tag, an image, a crawl and a push each, one
in twenty of them due. Every query of a scheduler's tick, of the beginning and the end
of a slice of 100 repositories, and of a look at a push is made as these make it, in a
transaction that is undone; so is every list of the API, the totals of registries, and
what looks for a text in names, which reads up to 100,000 of them. A figure
is the slowest statement of its kind. PostgreSQL runs on the same machine, over a Unix
socket, with its own defaults."""


def run(scene: Scene) -> Result:
    """Rounds on both."""
    rounds, tally = scene.options.rounds, Tally()
    _rounds(tally, "SQLite", fresh_database(scene.work_folder("tick")), rounds)
    with fresh_databases() as fresh, fresh() as url:
        _rounds(tally, "PostgreSQL", url, rounds)
    return Result("tick", rounds, tuple(map(_aimed, tally.figures)))


def _rounds(tally: Tally, name: str, url: str, rounds: int) -> None:
    say(f"tick: filling for {_COUNT:,} repositories on {name}")
    with closing(open_database(url)) as database:
        upgrade(database)
        fill(database, _COUNT)
        for number in range(rounds):
            say(f"tick: {name}, round {number + 1}")
            for kind, asks in _KINDS.items():
                asked = [
                    one for ask in asks.values() for one in asked_by(database, ask)
                ]
                slowest_s = max(one.seconds for one in asked)
                tally.note(f"{name}: {kind}", "ms", slowest_s * 1000)


def _aimed(figure: Figure) -> Figure:
    if figure.name.endswith("a text in names"):
        return figure
    return Figure(figure.name, figure.unit, figure.values, "<=", _MOST_MS)


COMPARISON: Final = Comparison("tick", "What is asked every few seconds", _ABOUT, run)
