"""The inventory where repositories are many, and where they come and go."""

import gc
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.testclient import TestClient

from support.many_repositories import add_repositories, mark_gone, some_names
from support.read_model import NOW
from weighbridge.domain.series import Budget
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.app import create_app
from weighbridge.web.options import WebOptions
from weighbridge.web.snapshot import REFRESH_S, SnapshotKeeper

ROUNDS = 24
EACH = 200
MOST_GROWTH = 400_000
"""Bytes; one round's repositories as text are more than that."""


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


def test_metrics_003_ten_thousand_repositories_keep_the_budget(
    database: Database,
) -> None:
    names = some_names(10_000, "team/service-with-a-longer-name-")
    add_repositories(database, names)
    app = create_app(database, Telemetry(), WebOptions(), now=lambda: NOW)
    client = TestClient(app, base_url="http://127.0.0.1:8080")

    answer = client.get("/metrics/repositories")

    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    exposed = sum("repository_info{" in line for line in lines)
    assert len(lines) <= 20_000
    assert len(answer.content) < 5_000_000
    assert f"weighbridge_exporter_repositories_omitted {10_000 - exposed}" in lines
    assert 'weighbridge_registry_repositories{registry="hub"} 10000' in lines


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
            lines = [line for line in text.splitlines() if not line.startswith("#")]
            assert len(lines) <= 300
            assert prefix in text
            assert f"hour-{number - 1}-" not in text
            mark_gone(database, ids.values())
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])

    clock.now += REFRESH_S
    assert "hour-" not in keeper.current().rendered.plain.decode()
    # What is allocated once (statements, caches) is there after a third of it.
    assert max(sizes[ROUNDS // 3 :]) - sizes[ROUNDS // 3] < MOST_GROWTH
