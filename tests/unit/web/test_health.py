"""Alive, and ready."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import anyio
import httpx
from starlette.testclient import TestClient

from support.web_app import create_app
from weighbridge.store.session import Database, open_database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions


def a_client(database: Database) -> TestClient:
    app = create_app(database, Telemetry(), WebOptions())
    return TestClient(app, base_url="http://localhost:8080")


def test_a_migrated_database_is_ready(client: TestClient) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "reasons": []}


async def test_it_is_alive_while_every_thread_waits_for_the_database(
    database: Database,
) -> None:
    app = create_app(database, Telemetry(), WebOptions())
    threads = anyio.to_thread.current_default_thread_limiter()
    while threads.available_tokens:
        threads.acquire_on_behalf_of_nowait(object())

    async with (
        asyncio.timeout(60),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost:8080"
        ) as client,
    ):
        alive = await client.get("/healthz")

    assert alive.text == "ok\n"


def test_a_service_whose_redis_is_away_is_ready_and_says_so(
    database: Database,
) -> None:
    since = datetime(2026, 9, 22, 8, 12, tzinfo=UTC)
    options = WebOptions(broker_away_since=lambda: since)
    app = create_app(database, Telemetry(), options)

    answer = TestClient(app, base_url="http://localhost:8080").get("/readyz")

    assert answer.status_code == 200
    (reason,) = answer.json()["reasons"]
    assert reason["code"] == "redis_unavailable"
    assert "has not answered since 2026-09-22 08:12 UTC" in reason["message"]


def test_another_schema_is_alive_and_not_ready(tmp_path: Path) -> None:
    empty = open_database(f"sqlite:///{tmp_path / 'empty.db'}")
    client = a_client(empty)

    alive, ready = client.get("/healthz"), client.get("/readyz")
    empty.close()

    assert (alive.status_code, alive.text) == (200, "ok\n")
    assert ready.status_code == 503
    error = ready.json()["error"]
    assert error["code"] == "not_ready"
    assert error["detail"]["reasons"][0]["code"] == "schema_version"


def test_a_database_that_is_lost_is_not_ready(tmp_path: Path) -> None:
    path = tmp_path / "lost.db"
    database = open_database(f"sqlite:///{path}")
    client = a_client(database)
    database.close()
    path.unlink()
    path.mkdir()

    ready = client.get("/readyz")

    assert ready.status_code == 503
    assert ready.json()["error"]["detail"]["reasons"]
