"""A registry's limit on requests, in the API and in the table of registries."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from support.crawling import Yard, a_yard
from support.fake_registry import FakeRegistry
from support.html import parse
from support.images import a_served_image
from support.read_model import HOUR, MINUTE, NOW, a_registry_report
from support.web_app import create_app
from weighbridge.domain.registry.rate_limit import RateLimit
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions
from weighbridge.web.views.frame import rate_limit_words


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path) as made:
        yield made


async def faces(yard: Yard, told: RateLimit | None) -> tuple[dict[str, object], str]:
    """What the API and the page of crawls say after a crawl; an hour later."""
    registry = FakeRegistry(rate_limit=told)
    registry.put("shop/api", "latest", a_served_image())
    await yard.crawl(registry)
    app = create_app(yard.database, Telemetry(), WebOptions(), now=lambda: yard.now)
    client = TestClient(app, base_url="http://127.0.0.1:8080")
    (row,) = client.get("/api/v1/registries").json()["items"]
    table, *_ = parse(client.get("/crawls").text).all("table")
    return {k: v for k, v in row.items() if k.startswith("rate_limit")}, table.text


async def test_a_limit_that_was_told_is_on_every_face(yard: Yard) -> None:
    row, table = await faces(yard, RateLimit(100, 52, 21_600, yard.now))

    assert row == {
        "rate_limit": 100,
        "rate_limit_remaining": 52,
        "rate_limit_window_s": 21_600,
        "rate_limit_seen_at": "2026-03-01T12:00:00Z",
    }
    assert "52 of 100 left in 6 h, 1 h ago" in table


async def test_a_limit_that_nobody_told_is_null_and_not_shown(yard: Yard) -> None:
    row, table = await faces(yard, None)

    assert len(row) == 4
    assert set(row.values()) == {None}
    assert " left" not in table


@pytest.mark.parametrize(
    ("limit", "remaining", "window_s", "expected"),
    [
        (100, 52, 21_600, "52 of 100 left in 6 h, 12 min ago"),
        (100, 0, None, "0 of 100 left, 12 min ago"),
        (5_000, None, 3_600, "5,000 in 1 h, 12 min ago"),
        (None, None, None, ""),
    ],
)
def test_what_is_known_of_a_limit_is_said(
    limit: int | None, remaining: int | None, window_s: int | None, expected: str
) -> None:
    report = replace(
        a_registry_report(),
        rate_limit=limit,
        rate_limit_remaining=remaining,
        rate_limit_window_s=window_s,
        rate_limit_seen_at=None if limit is None else NOW - 12 * MINUTE,
    )

    assert rate_limit_words(report, NOW) == expected


def test_it_says_when_it_was_told() -> None:
    report = replace(
        a_registry_report(), rate_limit=1, rate_limit_seen_at=NOW - 3 * HOUR
    )

    assert rate_limit_words(report, NOW) == "1, 3 h ago"
