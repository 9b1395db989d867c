"""Policies that could not be read again are said where people and programs look."""

from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from support.web_app import create_app
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions

SINCE = datetime(2026, 9, 22, 8, 12, tzinfo=UTC)
SAID = "could not be read again since 2026-09-22 08:12 UTC"


def a_client(database: Database, since: datetime | None) -> TestClient:
    options = WebOptions(failed_since=lambda: since)
    app = create_app(database, Telemetry(), options)
    return TestClient(app, base_url="http://localhost:8080")


@pytest.mark.parametrize("page", ["/", "/violations", "/crawls", "/search"])
def test_every_page_says_that_a_reload_failed(database: Database, page: str) -> None:
    failed, fine = a_client(database, SINCE), a_client(database, None)

    assert SAID in failed.get(page).text
    assert "could not be read again" not in fine.get(page).text


def test_a_service_that_could_not_reload_is_ready_and_says_so(
    database: Database,
) -> None:
    answer = a_client(database, SINCE).get("/readyz")

    assert answer.status_code == 200
    (reason,) = answer.json()["reasons"]
    assert reason["code"] == "reload_failed"
    assert SAID in reason["message"]
