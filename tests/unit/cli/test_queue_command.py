"""`weighbridge queue`: what waits, in each form, and what cannot be known."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from support.database import a_database
from support.store_world import T0, an_entry
from weighbridge.cli.actions.queue import Broker, QueueStatus, TaskLine, notes, overview
from weighbridge.cli.main import run
from weighbridge.domain.report.inventory import QueueWaiting, RegistryWaiting
from weighbridge.jobs.redis.worker_register import QueueLength
from weighbridge.ports.job_names import CRAWL, TICK
from weighbridge.presentation.forms.screen import Screen
from weighbridge.store.leases.jobs import Job, note_done
from weighbridge.store.registries.registry_rows import note_registry, put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.session import Database

CONFIG = """\
database_url: sqlite:///weighbridge.db
registries:
  - name: hub
    url: https://hub.example
    repositories: {include: ["acme/*"]}
"""
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weighbridge.yaml").write_text(CONFIG)
    with a_database(tmp_path) as opened:
        with opened.write() as connection:
            registry_id = put_registry(connection, an_entry("hub"), T0)
            note_registry(connection, registry_id, state="ok", reason="", now=T0)
            put_repositories(connection, registry_id, ["acme/app", "acme/web"], T0)
            note_done(connection, Job(TICK), T0)
        yield opened


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["queue", *arguments]) == 0
    return capsys.readouterr().out


def test_what_is_due_is_told_by_queue_and_registry(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = json.loads(printed(capsys, "-o", "json"))

    assert found["ticked_at"] == "2026-03-01T12:00:00Z"
    assert (found["redis"], found["workers"], found["tasks"]) == ("none", None, None)
    by_queue = {row["queue"]: row for row in found["queues"]}
    assert list(by_queue) == ["push", "crawl", "measure", "notify"]
    assert by_queue["crawl"] == {
        "queue": "crawl",
        "waiting": 2,
        "oldest_at": "2026-03-01T12:00:00Z",
        "messages": None,
        "oldest_message_at": None,
    }
    (registry,) = found["registries"]
    assert (registry["registry"], registry["due"], registry["state"]) == (
        "hub",
        2,
        "ok",
    )


def test_each_form_has_the_registry(capsys: pytest.CaptureFixture[str]) -> None:
    table = printed(capsys)
    markdown = printed(capsys, "-o", "markdown")
    (row,) = csv.DictReader(io.StringIO(printed(capsys, "-o", "csv")))

    assert "hub" in table
    assert "`hub`" in markdown
    assert (row["registry"], row["due"]) == ("hub", "2")


def test_a_registry_lists_its_repositories_and_one_is_told_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    of_registry = json.loads(printed(capsys, "hub", "-o", "json"))["items"]
    (alone,) = json.loads(printed(capsys, "hub/acme/web", "-o", "json"))["items"]

    assert [row["repository"] for row in of_registry] == ["acme/app", "acme/web"]
    assert of_registry[1] == alone
    assert (alone["why"], alone["due_at"]) == ("due", "2026-03-01T12:00:00Z")
    assert "a process that is free" in printed(capsys, "hub/acme/web")


def test_what_the_configuration_leaves_out_is_told_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (row,) = json.loads(printed(capsys, "hub/other", "-o", "json"))["items"]

    assert (row["why"], row["due_at"]) == ("outside_filter", None)


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("no", "registry_not_found"),
        ("hub/acme/app:1", "unknown_target"),
        ("hub/acme/none", "unknown_repository"),
    ],
)
def test_what_is_not_known_is_an_error_of_usage(
    capsys: pytest.CaptureFixture[str], target: str, code: str
) -> None:
    assert run(["queue", target]) == 2
    assert f"[{code}]" in capsys.readouterr().err


def test_a_database_that_is_not_there_is_not_made(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["queue", "--database", "none.db"]) != 0
    assert "[no_database]" in capsys.readouterr().err
    assert not (tmp_path / "none.db").exists()


def test_redis_that_is_away_is_said_and_not_waited_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "weighbridge.yaml").write_text(
        CONFIG + "redis_url: redis://127.0.0.1:1/0\n"
    )

    assert run(["queue"]) == 0

    told = capsys.readouterr()
    assert "Redis does not answer" in told.err
    assert "crawl" in told.out


def a_status(broker: Broker) -> QueueStatus:
    return QueueStatus(
        T0,
        T0 - timedelta(seconds=4),
        [QueueWaiting("crawl", 1200, T0 - 3 * MINUTE)],
        [
            RegistryWaiting(
                registry="hub",
                state="ok",
                state_reason="",
                state_since=T0,
                due=1200,
                paused=0,
                leased=8,
                put_off=0,
                parked=1,
                oldest_due_at=T0 - 3 * MINUTE,
                next_due_at=T0 + MINUTE,
            )
        ],
        broker,
    )


def test_workers_add_their_messages_and_tasks() -> None:
    sent = (T0 - MINUTE).timestamp()
    broker = Broker(
        "ok", 2, {"crawl": QueueLength(7, sent)}, (TaskLine(CRAWL, 30, 1, 4.25),)
    )

    text = overview(a_status(broker), "table", Screen())

    assert text.splitlines() == [
        "last search for what is due: 4 s ago",
        "workers: 2",
        "",
        "QUEUE    DUE  OLDEST     MESSAGES  OLDEST MESSAGE",
        "crawl  1,200  3 min ago         7  1 min ago",
        "",
        "REGISTRY  STATE    DUE  PAUSED  LEASED  PUT OFF  PARKED  OLDEST DUE  NEXT DUE",
        "hub       ok     1,200       0       8        0       1  3 min ago   in 1 min",
        "",
        "TASK               TAKEN  FAILED  MEAN TIME",
        "weighbridge.crawl     30       1      4.2 s",
    ]
    assert notes(a_status(broker)) == []


def test_what_no_process_asks_for_now_is_said() -> None:
    status = a_status(Broker("ok", 2, {}, (), {"hub": 12.34}))

    text = overview(status, "table", Screen())
    found = json.loads(overview(status, "json", Screen()))

    assert "hub: not asked for 12" in text
    assert [each["pause_seconds"] for each in found["registries"]] == [12.3]


def test_a_message_of_an_impossible_time_has_none() -> None:
    broker = Broker("ok", 2, {"crawl": QueueLength(7, 1e300)}, ())

    found = json.loads(overview(a_status(broker), "json", Screen()))

    assert found["queues"][0]["oldest_message_at"] is None
