"""`weighbridge db`: exit codes, what is printed, and what is asked."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from support.database import a_database
from support.images import a_layer, an_image
from support.ledger_world import Fleet
from support.store_world import World
from weighbridge.cli.actions.progress import watching
from weighbridge.cli.main import run
from weighbridge.presentation.forms.screen import Screen
from weighbridge.store.leases.claiming import claim
from weighbridge.store.session import Database

IMAGE = an_image([a_layer("base", 5000), a_layer("own", 100)])


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Two repositories of `hub`, one of which was seen whole."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", "sqlite:///weighbridge.db")
    with a_database(tmp_path) as opened:
        world = World(opened)
        world.crawl({"latest": IMAGE, "old": IMAGE})
        Fleet(opened, names=["shop/api"], scope="registry")
        yield opened


@pytest.fixture
def damaged(database: Database) -> Database:
    execute(database, "UPDATE storage_scopes SET shared_bytes = 9")
    return database


def execute(database: Database, statement: str) -> None:
    with database.write() as connection:
        connection.execute(text(statement))


def repositories(database: Database) -> list[str]:
    with database.read() as connection:
        query = text("SELECT name FROM repositories ORDER BY name")
        return list(connection.execute(query).scalars())


def test_verify_ends_with_0_and_says_what_is_right(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["db", "verify"]) == 0

    out = capsys.readouterr().out
    assert out == "all totals are right: 1 registry, 2 repositories, 2 tags\n"


def test_verify_ends_with_1_and_a_row_for_each_difference(
    damaged: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["db", "verify"]) == 1

    assert capsys.readouterr().out.splitlines() == [
        "TABLE           WHERE  WHAT          STORED  RECOUNTED",
        "storage_scopes  hub    shared_bytes  9       0",
        "",
        "1 value of 1 registry, 2 repositories, 2 tags differs from what the tags and "
        "facts say",
        "try: weighbridge db recount",
    ]


def test_verify_prints_json_for_programs(
    damaged: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["db", "verify", "-o", "json"]) == 1

    assert json.loads(capsys.readouterr().out) == {
        "items": [
            {
                "table": "storage_scopes",
                "where": "hub",
                "what": "shared_bytes",
                "stored": 9,
                "recounted": 0,
            }
        ],
        "differences": 1,
        "registries": 1,
        "repositories": 2,
        "tags": 2,
    }


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("csv", "storage_scopes,hub,shared_bytes,9,0"),
        ("markdown", "| `storage_scopes` | `hub` | `shared_bytes` | `9` | `0` |"),
    ],
)
def test_verify_prints_tables_for_programs(
    damaged: Database, capsys: pytest.CaptureFixture[str], output: str, line: str
) -> None:
    assert run(["db", "verify", "-o", output]) == 1

    assert line in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("arguments", [[], ["hub"]])
def test_recount_puts_right_what_verify_has_found(
    damaged: Database, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run(["db", "recount", *arguments]) == 0

    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "recounted hub: 1 value corrected"
    assert run(["db", "verify"]) == 0


def test_recount_of_all_lets_lost_facts_be_read_again(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(database, "DELETE FROM lines")
    assert run(["db", "verify"]) == 1
    capsys.readouterr()

    assert run(["db", "recount", "hub"]) == 3
    assert "[facts_lost]" in capsys.readouterr().err
    assert run(["db", "recount"]) == 0

    last = capsys.readouterr().out.splitlines()[-1]
    assert last == ("1 document lost a part and will be read again: weighbridge crawl")
    assert run(["db", "verify"]) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["recount", "nowhere"],
        ["forget", "nowhere", "--yes"],
        ["forget", "nowhere/app", "--yes"],
    ],
    ids=" ".join,
)
def test_a_registry_that_is_not_known_ends_with_2(
    database: Database, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run(["db", *arguments]) == 2

    err = capsys.readouterr().err
    assert "no registry called 'nowhere' was ever crawled [unknown_registry]" in err
    assert "there are  hub" in err


def test_forget_removes_one_repository(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["db", "forget", "hub/acme/app", "--yes"]) == 0

    assert capsys.readouterr().out == "removed: hub/acme/app (2 tags)\n"
    assert repositories(database) == ["shop/api"]
    assert run(["db", "verify"]) == 0
    assert run(["db", "forget", "hub/acme/app", "--yes"]) == 2
    assert "[unknown_repository]" in capsys.readouterr().err


def test_forget_removes_a_registry(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["db", "forget", "hub", "--yes"]) == 0

    assert capsys.readouterr().out == "removed: hub (2 repositories, 2 tags)\n"
    assert repositories(database) == []
    assert run(["db", "verify"]) == 0


def test_forget_takes_no_registry_for_a_repository_without_a_name(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["db", "forget", "hub/", "--yes"]) == 2

    err = capsys.readouterr().err
    assert "'hub/' names no repository [unknown_repository]" in err
    assert "  try    hub/REPOSITORY, or hub for all that is known of it\n" in err
    assert len(repositories(database)) == 2


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("https://r.example", "hub"),
        ("https://r.example/", "hub"),
        ("http://hub/shop/api", "hub/shop/api"),
        ("https://u:c4nary@x@r.example/shop/api", None),
        ("r.example/shop/api", "hub/shop/api"),
        ("r.example", "hub"),
        ("https://other.example", None),
    ],
)
def test_an_address_is_told_the_name_under_which_it_is_known(
    database: Database,
    capsys: pytest.CaptureFixture[str],
    name: str,
    meant: str | None,
) -> None:
    assert run(["db", "forget", name, "--yes"]) == 2

    err = capsys.readouterr().err
    assert "[unknown_registry]" in err
    assert (f"\n  write  {meant}\n" in err) is (meant is not None)
    assert "\n  there are  hub\n" in err
    assert "c4nary" not in err
    assert len(repositories(database)) == 2


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("answer", "left"), [("n", 2), ("", 2), ("y", 0)], ids=["no", "nothing", "yes"]
)
def test_forget_asks_on_a_terminal(
    database: Database, monkeypatch: pytest.MonkeyPatch, answer: str, left: int
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))

    assert run(["db", "forget", "hub"]) == 0

    assert len(repositories(database)) == left


def test_forget_does_nothing_where_nobody_can_be_asked(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    assert run(["db", "forget", "hub"]) == 2

    assert "[not_confirmed]" in capsys.readouterr().err
    assert len(repositories(database)) == 2


def test_forget_ends_with_3_while_a_crawl_holds_the_lease(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    with database.write() as connection:
        assert claim(connection, 1, now=datetime.now(UTC), lease_s=60)

    assert run(["db", "forget", "hub", "--yes"]) == 3

    assert "a crawl works on hub/acme/app now [busy]" in capsys.readouterr().err
    assert len(repositories(database)) == 2


def test_long_work_writes_a_line_every_ten_seconds_where_there_is_no_terminal() -> None:
    stream, seconds = io.StringIO(), iter([0.0, 4.0, 11.0, 15.0, 22.0])

    with watching(Screen(), stream, lambda: next(seconds)) as watch:
        for done in range(4):
            watch("repositories", done, 50_000)

    assert stream.getvalue() == "repositories 1/50,000\nrepositories 3/50,000\n"


def test_on_a_terminal_one_line_is_written_again_and_cleared() -> None:
    stream, seconds = io.StringIO(), iter([0.0, 1.0, 2.0])

    with watching(Screen(width=80), stream, lambda: next(seconds)) as watch:
        watch("repositories", 10, 12)
        watch("tables", 1, 2)

    assert stream.getvalue() == (
        "\rrepositories 10/12\rtables 1/2        \r          \r"
    )
