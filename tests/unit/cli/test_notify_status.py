"""`weighbridge notify status` and `GET /api/v1/notifications`: what waits, and why."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from support.database import a_database
from support.outbox_world import OutboxWorld
from support.store_world import T0
from support.web_app import create_app
from weighbridge.cli.actions.channels import printed
from weighbridge.cli.main import run
from weighbridge.domain.message.grouping import Route
from weighbridge.presentation.forms.screen import Screen
from weighbridge.store.outbox.due_groups import channel_reports
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", "sqlite:///weighbridge.db")
    with a_database(tmp_path) as opened:
        yield opened


def test_a_channel_that_works_one_that_waits_and_one_that_fails(
    database: Database,
) -> None:
    outbox = OutboxWorld(
        database, [Route(name, group_by=("policy",)) for name in "abc"]
    )
    outbox.opened("acme/one")
    outbox.sent(T0, "a")
    outbox.sent(T0, "b")
    outbox.failed(T0, "c")
    outbox.opened(
        "acme/two", now=T0 + MINUTE, routes=[Route("b", group_by=("policy",))]
    )

    with database.read() as connection:
        found = channel_reports(connection)

    table = printed(found, "table", Screen(), T0 + 2 * MINUTE).splitlines()
    assert [line.split("  ")[0] for line in table] == ["CHANNEL", "a", "b", "c"]
    assert "ok" in table[1]
    assert "2 min ago" in table[1]
    assert "waiting" in table[2]
    assert "in 3 min" in table[2]
    assert "failing" in table[3]
    assert "refused" in table[3]


def test_given_up_stays_visible(database: Database) -> None:
    outbox = OutboxWorld(database)
    outbox.opened()
    outbox.failed(T0)
    outbox.failed(T0 + DAY)

    with database.read() as connection:
        (report,) = channel_reports(connection)

    assert (report.state, report.waiting, report.given_up) == ("ok", 0, 1)
    assert (report.error_code, report.last_given_up_at) == ("refused", T0 + DAY)


def test_the_command_and_the_api_say_the_same(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    OutboxWorld(database).opened()
    app = create_app(database, Telemetry(), WebOptions())
    client = TestClient(app, base_url="http://127.0.0.1:8080")

    assert run(["notify", "status", "-o", "json"]) == 0

    printed = json.loads(capsys.readouterr().out)
    assert client.get("/api/v1/notifications").json() == printed
    (row,) = printed["items"]
    assert (row["channel"], row["state"], row["waiting"]) == ("ops", "waiting", 1)
    assert row["next_at"] == "2026-03-01T12:00:00Z"


@pytest.mark.parametrize("output", ["table", "csv", "markdown"])
def test_every_output_has_a_row_a_channel(
    database: Database, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    OutboxWorld(database, [Route("ops"), Route("hook")]).opened()

    assert run(["notify", "status", "-o", output]) == 0

    out = capsys.readouterr().out
    assert out.index("hook") < out.index("ops")


def test_where_nothing_was_ever_told_that_is_said(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["notify", "status"]) == 0
    assert capsys.readouterr().out == "no notification was ever due\n"
