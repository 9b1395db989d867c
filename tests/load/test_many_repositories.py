"""The inventory of 100,000 repositories, and of a day in which 10,000 come and go."""

import time
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import pytest
from starlette.testclient import TestClient

from support.database import Engine, a_database
from support.many_repositories import add_repositories, mark_gone, some_names
from support.promtool import promtool
from support.read_model import NOW
from support.web_app import create_app
from weighbridge.domain.series_budget import Budget
from weighbridge.telemetry import Telemetry
from weighbridge.web.metrics.snapshot import REFRESH_S, SnapshotKeeper
from weighbridge.web.options import WebOptions

pytestmark = pytest.mark.timeout(1_800)

MIB = 1 << 20


def resident_bytes() -> int:
    """Of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def test_metrics_003_a_hundred_thousand_repositories_are_scraped_within_a_second(
    tmp_path: Path, engine: Engine
) -> None:
    with a_database(tmp_path, engine) as database:
        add_repositories(database, some_names(100_000, "team/service-"))
        app = create_app(database, Telemetry(), WebOptions(), now=lambda: NOW)
        client = TestClient(app, base_url="http://127.0.0.1:8080")
        before = getrusage(RUSAGE_SELF).ru_maxrss * 1024
        client.get("/metrics/repositories")
        after = getrusage(RUSAGE_SELF).ru_maxrss * 1024

        started = time.perf_counter()
        answer = client.get("/metrics/repositories")
        seconds = time.perf_counter() - started

    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    exposed = sum("repository_info{" in line for line in lines)
    assert len(lines) <= 20_000
    assert len(answer.content) < 5_000_000
    assert f"weighbridge_exporter_repositories_omitted {100_000 - exposed}" in lines
    assert 'weighbridge_registry_repositories{registry="hub"} 100000' in lines
    assert promtool(answer.content) == ""
    assert seconds < 1
    assert after - before < 64 * MIB


def test_metrics_004_a_day_of_repositories_that_come_and_go_grows_no_memory(
    tmp_path: Path, engine: Engine
) -> None:
    moment = [1_000.0]
    sizes: list[int] = []
    with a_database(tmp_path, engine) as database:
        keeper = SnapshotKeeper(
            database, Budget(), clock=lambda: moment[0], wall=lambda: moment[0]
        )
        for hour in range(24):
            ids = add_repositories(database, some_names(10_000, f"hour-{hour}-"))
            moment[0] += REFRESH_S
            text = keeper.current().rendered.plain.decode()
            assert len(text.splitlines()) <= 20_000 + 2 * 30
            assert f"hour-{hour}-" in text
            assert f"hour-{hour - 1}-" not in text
            for start in range(0, 10_000, 1_000):
                mark_gone(database, list(ids.values())[start : start + 1_000])
            sizes.append(resident_bytes())

    assert max(sizes[12:]) - max(sizes[:12]) < 32 * MIB
