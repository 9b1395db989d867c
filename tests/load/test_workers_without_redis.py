"""Two workers that crawl while Redis stands still or is gone."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.redis_server import RedisServer
from support.replica.fleet import Fleet
from support.replica.million import FleetContent
from support.worker_crew import a_crew
from weighbridge.demo.http.server import RunningDemo

RATE = 20
AWAY_S = 25
AWAY: dict[str, Callable[[RedisServer], None]] = {
    "frozen": RedisServer.freeze,
    "stopped": RedisServer.stop,
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", AWAY)
def test_two_workers_do_60_to_100_percent_of_a_registry_s_rate(
    tmp_path: Path, how: str
) -> None:
    # Two repositories, each of which a worker crawls for longer than that.
    running = RunningDemo(FleetContent(Fleet(2, 20_000, 10_000)))
    limits = {"requests_per_second": RATE, "concurrency": 8}
    try:
        with a_crew(tmp_path, running.url, limits=limits) as crew:
            for _ in range(2):
                crew.single_worker()
            crew.enqueue_tick()
            crew.wait_for(lambda: len(crew.repositories()) == 2, "both are known")
            crew.enqueue_tick()
            crew.wait_for(
                lambda: all(row["lease_until"] for row in crew.repositories().values()),
                "both are crawled",
            )
            time.sleep(3)

            AWAY[how](crew.redis)
            before = running.server.requests.total()
            time.sleep(AWAY_S)
            went = running.server.requests.total() - before
            if how == "frozen":
                crew.redis.resume()
            else:
                crew.redis.start()
            time.sleep(5)
            before = running.server.requests.total()
            time.sleep(5)
            later = running.server.requests.total() - before
    finally:
        running.close()

    print(f"{how}: {went} of {RATE * AWAY_S} requests; then {later / 5:.1f}/s")
    assert 0.6 * RATE * AWAY_S <= went <= RATE * (AWAY_S + 1)
    assert later > 0.6 * RATE * 5
