"""The inventory where repositories are many, and where they come and go."""

import gc
import re
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from support.many_repositories import (
    add_repositories,
    change,
    mark_gone,
    some_names,
)
from support.promtool import promtool
from support.read_model import NOW
from support.web_app import create_app
from weighbridge.domain.series_budget import CORE_SERIES, Budget, Family
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.metrics.snapshot import REFRESH_S, SnapshotKeeper
from weighbridge.web.options import WebOptions

HOSTILE = [
    'shop/api"} 7\nweighbridge_registry_up{registry="hub"} 1\n#',
    "shop\\",
    'shop\\"',
    "shop/\x07\x1b[31m",
    "shop/\u202eipa",
    "shop/{}",
    "shop/# HELP x y",
    "a" * 300 + "x",
    "a" * 300 + "y",
    "shop/\r\n# EOF\n",
    " ",
    "shop/\u2028new line",
]
"""No registry may name a repository so; the exposition does not lean on that."""
ROUNDS = 24
EACH = 200
MOST_GROWTH = 40_000
"""Bytes. To keep only the ids that each round showed would be half as much again, its
text ten times as much."""


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def traced() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


def samples_in(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def scraped(database: Database, budget: Budget) -> bytes:
    """What a scraper gets, over the real application."""
    app = create_app(database, Telemetry(), WebOptions(budget=budget), now=lambda: NOW)
    client = TestClient(app, base_url="http://127.0.0.1:8080")
    return client.get("/metrics/repositories").content


def test_a_sum_that_leaves_64_bits_is_the_largest_number_and_says_so(
    database: Database,
) -> None:
    for number in add_repositories(database, ["evil/a", "evil/b"]).values():
        change(database, number, newest_compressed_bytes=2**63 - 1)
    app = create_app(database, Telemetry(), WebOptions(), now=lambda: NOW)
    client = TestClient(app, base_url="http://127.0.0.1:8080")

    (row,) = client.get("/api/v1/registries").json()["items"]

    assert row["newest_compressed_bytes"] == 2**63 - 1
    assert row["saturated"] == ["newest_compressed_bytes"]


@pytest.mark.slow
@pytest.mark.parametrize("families", [(), ("largest", "tags", "pushed", "audited")])
def test_metrics_003_ten_thousand_repositories_keep_the_budget(
    database: Database, families: tuple[Family, ...]
) -> None:
    names = some_names(10_000, "team/service-with-a-longer-name-")
    add_repositories(database, names)

    body = scraped(database, Budget(families=families))

    lines = samples_in(body.decode())
    exposed = sum("repository_info{" in line for line in lines)
    assert 15_000 < len(lines) <= 20_000
    assert len(body) < 5_000_000
    assert f"weighbridge_exporter_repositories_omitted {10_000 - exposed}" in lines
    assert "weighbridge_exporter_detail_level 1" in lines
    assert 'weighbridge_registry_repositories{registry="hub"} 10000' in lines
    assert 'weighbridge_registry_tags{registry="hub"} 50000' in lines


@pytest.mark.slow
def test_metrics_003_promtool_reads_every_step_of_the_ladder(
    database: Database,
) -> None:
    add_repositories(database, some_names(500, "team/service-"))
    families: tuple[Family, ...] = ("largest", "tags", "pushed", "audited")
    levels: list[str] = []

    for max_series in (10_000, 4_000, 1_000, 20):
        body = scraped(database, Budget(max_series, families=families))
        assert promtool(body) == ""
        levels += re.findall(
            r"^weighbridge_exporter_detail_level (.)$", body.decode(), re.M
        )

    assert levels == ["3", "2", "1", "0"]


def test_metrics_003_hostile_names_are_a_series_each_and_forge_none(
    database: Database,
) -> None:
    add_repositories(database, HOSTILE)

    body = scraped(database, Budget())

    assert promtool(body) == ""
    families = text_string_to_metric_families(body.decode())
    found = [s.labels for f in families for s in f.samples if "repository" in s.labels]
    by_name: Counter[str] = Counter(each["repository"] for each in found)
    assert len(by_name) == len(HOSTILE)
    assert set(by_name.values()) == {CORE_SERIES}
    assert {tuple(sorted(each)) for each in found} == {
        ("registry", "repository"),
        ("platform", "registry", "repository"),
    }


@pytest.mark.slow
@pytest.mark.long
def test_metrics_004_repositories_that_come_and_go_leave_nothing_behind(
    database: Database,
) -> None:
    clock = Clock()
    keeper = SnapshotKeeper(database, Budget(300), clock=clock, wall=clock)
    sizes: list[int] = []

    with traced():
        for number in range(ROUNDS):
            prefix = f"hour-{number}-"
            ids = add_repositories(database, some_names(EACH, prefix))
            clock.now += REFRESH_S
            text = keeper.current().rendered.plain.decode()
            assert len(samples_in(text)) <= 300
            assert prefix in text
            assert f"hour-{number - 1}-" not in text
            mark_gone(database, ids.values())
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])

    clock.now += REFRESH_S
    assert "hour-" not in keeper.current().rendered.plain.decode()
    # What is allocated once (statements, caches) is there after a third of it.
    assert max(sizes[ROUNDS // 3 :]) - sizes[ROUNDS // 3] < MOST_GROWTH
