"""`weighbridge db restore`: what is there afterwards, and what is refused."""

import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from support.data import data_path
from support.database import a_database
from support.images import a_layer, an_image
from support.page_examples import blocks_of
from support.store_world import World
from weighbridge.cli.main import run
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.session import open_database

IMAGE: Final = an_image([a_layer("base", 5000), a_layer("own", 100)])
TARGET: Final = Path("weighbridge.db")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`monday.db` is a backup of two tags; the database has three by now."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", "sqlite:///weighbridge.db")
    with a_database(tmp_path) as opened:
        world = World(opened)
        world.crawl({"latest": IMAGE, "old": IMAGE})
        assert run(["token", "create", "--role", "read", "--name", "people"]) == 0
        assert run(["db", "backup", "monday.db"]) == 0
        assert run(["token", "revoke", "people"]) == 0
        world.crawl({"latest": IMAGE, "old": IMAGE, "new": IMAGE})
    return tmp_path


def tags_of(path: Path | str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        statement = "SELECT count(*) FROM tags WHERE deleted_at IS NULL"
        return int(connection.execute(statement).fetchone()[0])


def kept() -> list[Path]:
    return sorted(Path().glob("weighbridge.db.before-*"))


def names() -> set[str]:
    return {path.name for path in Path().iterdir()}


def test_a_backup_takes_the_place_of_the_database_which_is_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    TARGET.chmod(0o640)

    assert run(["db", "restore", "monday.db", "--replace"]) == 0

    out = capsys.readouterr().out
    (before,) = kept()
    assert "2 tags" in out
    assert str(before) in out
    assert "1 token valid" in out
    assert "lost is what came after the backup" in out
    assert (tags_of(TARGET), tags_of(before), tags_of("monday.db")) == (2, 3, 2)
    assert TARGET.stat().st_mode & 0o777 == 0o640  # as before
    database = open_database("sqlite:///weighbridge.db")
    assert list(verify(database, {}, datetime.now(UTC), lambda *_: None)) == []
    database.close()


def test_what_was_restored_says_who_did_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["db", "restore", "monday.db", "--replace"]) == 0
    capsys.readouterr()

    assert run(["audit"]) == 0

    (line,) = [one for one in capsys.readouterr().out.splitlines() if "restore" in one]
    assert "db.restore" in line
    assert "monday.db" in line


def test_a_database_that_is_there_is_replaced_only_where_that_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    there = names()

    assert run(["db", "restore", "monday.db"]) == 2

    assert "[database_exists]\n  try    --replace\n" in capsys.readouterr().err
    assert names() == there
    assert tags_of(TARGET) == 3


@pytest.mark.parametrize("is_empty", [False, True])
def test_where_no_database_is_nothing_has_to_be_replaced(is_empty: bool) -> None:
    TARGET.unlink()
    if is_empty:
        TARGET.touch()

    assert run(["db", "restore", "monday.db"]) == 0

    assert tags_of(TARGET) == 2
    assert kept() == []


_HOLDS: Final = """
import sqlite3, sys
connection = sqlite3.connect("weighbridge.db")
connection.execute("SELECT count(*) FROM tags").fetchone()
print("open", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("is_damaged", [False, True])
def test_a_database_that_a_process_has_open_is_left_alone(
    is_damaged: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """An idle one too: it would go on writing into the file that was replaced."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        if is_damaged:
            with TARGET.open("r+b") as file:
                file.write(b"\xff" * 200)
        content = TARGET.read_bytes()
        code = run(["db", "restore", "monday.db", "--replace"])
        assert TARGET.read_bytes() == content
        other.kill()

    assert code == 3
    assert "[database_in_use]" in capsys.readouterr().err
    assert kept() == []


def test_a_damaged_database_is_replaced_and_kept() -> None:
    TARGET.write_bytes(b"\xff" * 40_000)

    assert run(["db", "restore", "monday.db", "--replace"]) == 0

    (before,) = kept()
    assert before.read_bytes() == b"\xff" * 40_000
    assert tags_of(TARGET) == 2


def test_the_log_of_a_database_that_was_killed_is_not_taken_for_the_restored_ones(
    tmp_path: Path,
) -> None:
    """SQLite would copy its pages into the file beside it."""
    shutil.copy(TARGET, "killed.db")
    with closing(sqlite3.connect("killed.db", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("UPDATE tags SET natural_key = natural_key || 'x'")
        for suffix in ("", "-wal", "-shm"):
            shutil.copy(f"killed.db{suffix}", f"weighbridge.db{suffix}")
    # As if its file were lost and its log were not.
    TARGET.unlink()

    assert run(["db", "restore", "monday.db"]) == 0

    with closing(sqlite3.connect(TARGET)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        changed = "SELECT count(*) FROM tags WHERE natural_key LIKE '%x'"
        assert connection.execute(changed).fetchone() == (0,)
    assert tags_of(TARGET) == 2


def test_what_a_killed_process_left_in_its_log_is_kept_too() -> None:
    with closing(sqlite3.connect(TARGET, isolation_level=None)) as database:
        database.execute("UPDATE tags SET natural_key = natural_key || 'x'")
        for suffix in ("", "-wal"):
            shutil.copy(f"weighbridge.db{suffix}", f"copy{suffix}")
    for suffix in ("", "-wal"):
        os.replace(f"copy{suffix}", f"weighbridge.db{suffix}")

    assert run(["db", "restore", "monday.db", "--replace"]) == 0

    (before,) = kept()
    with closing(sqlite3.connect(before)) as connection:
        changed = "SELECT count(*) FROM tags WHERE natural_key LIKE '%x'"
        assert connection.execute(changed).fetchone() == (3,)


def test_a_backup_of_an_older_schema_is_upgraded_by_the_next_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with closing(sqlite3.connect("old.db")) as old:
        old.executescript(data_path("databases/0003.sqlite.sql").read_text("utf-8"))
        old.execute("PRAGMA application_id = 2003134823")

    assert run(["db", "restore", "old.db", "--replace"]) == 0
    assert "schema 0003" in capsys.readouterr().out

    assert run(["db", "verify"]) == 0


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("absent.db", "bad_backup_file"),
        (".", "bad_backup_file"),
        ("weighbridge.db", "bad_backup_file"),
        ("used.db", "bad_backup_file"),
        ("text.db", "not_a_database"),
        ("other.db", "not_a_database"),
        ("half.db", "database_corrupt"),
        ("newer.db", "schema_version"),
    ],
)
def test_what_is_no_backup_is_refused_and_nothing_changes(
    file: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = Path("monday.db").read_bytes()
    Path("text.db").write_text("no database at all, but quite a long text" * 100)
    Path("half.db").write_bytes(whole[: len(whole) // 2])
    Path("used.db").write_bytes(whole)
    Path("used.db-wal").write_bytes(b"pages")
    Path("newer.db").write_bytes(whole)
    for name, statement in (
        ("other.db", "CREATE TABLE mine(a)"),
        ("newer.db", "UPDATE alembic_version SET version_num = '9999'"),
    ):
        with closing(sqlite3.connect(name, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute(statement)
    there = names()

    assert run(["db", "restore", file, "--replace"]) in (2, 3)

    assert f"[{code}]" in capsys.readouterr().err
    assert names() == there
    assert tags_of(TARGET) == 3


def test_of_a_server_the_command_is_said_without_its_password(
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = "postgresql://me:s3cret@db.example:5433/wb?password=s3cret"

    assert run(["db", "restore", "a b.dump", "--database", url]) == 2

    err = capsys.readouterr().err
    assert "[use_pg_restore]" in err
    assert "s3cret" not in err
    assert shlex.split(err.splitlines()[1])[1:] == [
        *("pg_restore", "--no-owner", "--single-transaction"),
        *("--dbname=postgresql://me@db.example:5433/wb", "a b.dump"),
    ]


@pytest.mark.parametrize("act", ["backup", "restore"])
def test_the_page_shows_the_command_that_is_said(
    act: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "postgresql://weighbridge@db.example/weighbridge"

    assert run(["db", act, "weighbridge.dump", "--database", url]) == 2

    said = capsys.readouterr().err.splitlines()[1].split(maxsplit=1)[1]
    assert f"{said}\n" in {block.text for block in blocks_of("deploying/backup.md")}
