"""What a service that has workers says of Redis, there and away."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from prometheus_client import generate_latest

from support.redis_server import RedisServer, a_redis
from weighbridge.bootstrap.distributed.service import BrokerWatch
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.telemetry import Telemetry

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with a_redis() as running:
        yield running


class Watched:
    def __init__(self, redis: RedisServer) -> None:
        self.telemetry = Telemetry()
        settings = load_settings(None, {}, KINDS)
        self.watch = BrokerWatch(redis.url, settings, self.telemetry, now=lambda: NOW)

    def look(self) -> str:
        self.watch.look()
        return generate_latest(self.telemetry.registry).decode()


@pytest.fixture
def watched(redis: RedisServer) -> Iterator[Watched]:
    watched = Watched(redis)
    yield watched
    watched.watch.close()


def test_a_redis_that_answers_is_up(watched: Watched) -> None:
    text = watched.look()

    assert "weighbridge_broker_up 1.0" in text
    assert "weighbridge_workers 0.0" in text
    assert watched.watch.away_since is None


def test_a_frozen_redis_is_away_until_it_answers(
    watched: Watched, redis: RedisServer
) -> None:
    watched.look()
    redis.freeze()
    try:
        frozen = watched.look()
        away_since = watched.watch.away_since
    finally:
        redis.resume()
    later = watched.look()

    assert "weighbridge_broker_up 0.0" in frozen
    assert "weighbridge_workers " not in frozen
    assert "weighbridge_queue_tasks{" not in frozen
    assert away_since == NOW
    assert "weighbridge_broker_up 1.0" in later
    assert "weighbridge_workers 0.0" in later
    assert watched.watch.away_since is None
