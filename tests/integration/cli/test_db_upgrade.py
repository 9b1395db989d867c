"""`weighbridge db upgrade`: what it would do, and one that fails, on both databases."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import inspect

from support.database import Engine, an_empty_url
from support.newer_version import NEXT, newer_version
from support.page_examples import blocks_of
from support.stored_database import load, stored_sql
from weighbridge.cli.main import run
from weighbridge.store.schema import REVISION, check_schema
from weighbridge.store.session import open_database

OLD: Final = "0006"


@pytest.fixture
def url(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """An empty database, which is the configured one."""
    monkeypatch.chdir(tmp_path)
    with an_empty_url(tmp_path, engine) as made:
        monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", made)
        yield made


@pytest.fixture
def old_url(url: str, engine: Engine) -> str:
    """The same, left by a version that had schema 0006."""
    load(url, engine, stored_sql(engine, OLD).read_text("utf-8"))
    return url


def revision_of(url: str) -> str:
    database = open_database(url)
    try:
        with database.read() as connection:
            statement = "SELECT version_num FROM alembic_version"
            return str(connection.exec_driver_sql(statement).scalar_one())
    finally:
        database.close()


def columns_of_registries(url: str) -> set[str]:
    database = open_database(url)
    try:
        with database.read() as connection:
            return {
                one["name"] for one in inspect(connection).get_columns("registries")
            }
    finally:
        database.close()


def test_a_plan_names_each_step_and_what_it_goes_over_and_changes_nothing(
    old_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["db", "upgrade", "--plan", "-o", "json"]) == 0

    plan = json.loads(capsys.readouterr().out)
    assert (plan["found"], plan["needed"]) == (OLD, REVISION)
    steps = [step["revision"] for step in plan["items"]]
    assert steps == [f"{n:04d}" for n in range(int(OLD) + 1, int(REVISION) + 1)]
    assert plan["items"][0]["reads"]["tags"] > 0
    assert plan["items"][1]["reads"] == {}
    assert revision_of(old_url) == OLD


def test_a_plan_for_people_says_what_to_run_before_and_then(
    old_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = blocks_of("deploying/upgrade.md")
    program, *words = block.text.split()
    assert program == "weighbridge"
    assert run(words) == 0

    out = capsys.readouterr().out
    assert f"from schema {OLD} to {REVISION}" in out
    assert "weighbridge db backup FILE" in out
    assert run(["db", "upgrade"]) == 0
    assert capsys.readouterr().out == f"the database has schema {REVISION}\n"
    assert run(["db", "upgrade", "--plan"]) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_a_plan_for_an_empty_database_makes_no_table(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    open_database(url).close()

    assert run(["db", "upgrade", "--plan", "-o", "json"]) == 0

    plan = json.loads(capsys.readouterr().out)
    assert plan == {"items": [], "found": None, "needed": REVISION}
    database = open_database(url)
    with database.read() as connection:
        assert inspect(connection).get_table_names() == []
    database.close()


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "schema_version"),
        ("DROP TABLE alembic_version", "not_a_database"),
    ],
)
def test_there_is_no_plan_for_a_newer_database_or_another_programs(
    old_url: str, statement: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    database = open_database(old_url)
    with database.write() as connection:
        connection.exec_driver_sql(statement)
    database.close()

    assert run(["db", "upgrade", "--plan"]) in (2, 3)

    assert f"[{code}]" in capsys.readouterr().err


def test_there_is_no_plan_for_a_file_that_is_absent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "none.db"

    assert run(["db", "upgrade", "--plan", "--database", str(path)]) == 3

    assert "[no_database]" in capsys.readouterr().err
    assert not path.exists()


def weighbridge(
    environment: Mapping[str, str], *arguments: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "weighbridge", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_migration_that_fails_is_named_and_leaves_the_old_schema(
    tmp_path: Path, url: str
) -> None:
    assert run(["db", "upgrade"]) == 0
    newer = newer_version(tmp_path / "newer", fails=True)

    failed = weighbridge(newer, "db", "upgrade")

    assert failed.returncode == 3
    assert f"the upgrade to schema {NEXT} failed: " in failed.stderr
    assert "[upgrade_failed]" in failed.stderr
    assert f"the database has schema {REVISION} as before" in failed.stderr
    assert "note" not in columns_of_registries(url)
    database = open_database(url)
    check_schema(database)
    database.close()
    assert run(["db", "verify"]) == 0


def test_a_newer_version_upgrades_and_the_old_one_says_to_use_it(
    tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["db", "upgrade"]) == 0
    newer = newer_version(tmp_path / "newer")

    done = weighbridge(newer, "db", "upgrade")

    assert (done.returncode, done.stdout) == (0, f"the database has schema {NEXT}\n")
    assert "note" in columns_of_registries(url)
    assert run(["db", "verify"]) == 2
    assert f"the database has schema {NEXT}, made by a newer" in capsys.readouterr().err
