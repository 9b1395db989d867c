"""A million repositories: what is asked again and again costs what it does for ten."""

from collections.abc import Callable, Iterator, Mapping

import pytest

from support.inventory_queries import CRAWL, LISTS, PUSH, TABLES, TICK, Asks
from support.large_inventory import fill
from support.plans import Asked, asked_by, read_whole
from weighbridge.store.session import Database, open_database

pytestmark = pytest.mark.timeout(3_600)

COUNT = 1_000_000
ROUNDS = 5
SLOW_S = 0.1
"""To walk through a million rows takes more, on any machine."""


@pytest.fixture(scope="module")
def inventory(database_url: str) -> Iterator[Database]:
    database = open_database(database_url)
    try:
        fill(database, COUNT)
        yield database
    finally:
        database.close()


def slowest(rounds: list[list[Asked]]) -> float:
    """Of all statements, each in its best round."""
    best: list[float] = [
        min(one.seconds for one in same) for same in zip(*rounds, strict=True)
    ]
    return max(best)


@pytest.mark.parametrize("kind", ["tick", "crawl", "push"])
def test_no_query_of_tick_crawl_or_push_reads_a_table_as_a_whole(
    inventory: Database, kind: str, record: Callable[[str, float], None]
) -> None:
    asks: Mapping[str, Asks] = {"tick": TICK, "crawl": CRAWL, "push": PUSH}[kind]
    slow = {}
    for name, ask in asks.items():
        rounds = [asked_by(inventory, ask) for _ in range(ROUNDS)]
        seconds = slowest(rounds)
        record(name, seconds)
        assert read_whole(rounds[0], TABLES) == []
        if seconds >= SLOW_S:
            slow[name] = seconds

    assert slow == {}


def test_no_list_walks_through_the_inventory(
    inventory: Database, record: Callable[[str, float], None]
) -> None:
    slow = {}
    for name, ask in LISTS.items():
        seconds = slowest([asked_by(inventory, ask) for _ in range(ROUNDS)])
        record(name, seconds)
        if seconds >= SLOW_S:
            slow[name] = seconds

    assert slow == {}


@pytest.fixture
def record(
    capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> Callable[[str, float], None]:
    """Print how long the slowest statement of something took."""

    def note(name: str, seconds: float) -> None:
        with capsys.disabled():
            print(f"\n{request.node.name}: {name}: {seconds * 1000:.2f} ms", end="")

    return note
