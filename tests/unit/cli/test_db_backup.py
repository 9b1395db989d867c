"""`weighbridge db backup`: what is written, under which name, and what is refused."""

import shlex
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from support.data import data_path
from support.database import a_database
from support.images import a_layer, an_image
from support.store_world import World
from weighbridge.cli.main import run
from weighbridge.store.backup.backing_up import back_up
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.schema import REVISION
from weighbridge.store.session import Database, open_database

IMAGE = an_image([a_layer("base", 5000), a_layer("own", 100)])
SOURCE = Path("weighbridge.db")


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """One repository of two tags, in a file of the working folder that stays open."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", "sqlite:///weighbridge.db")
    with a_database(tmp_path) as opened:
        World(opened).crawl({"latest": IMAGE, "old": IMAGE})
        yield opened


def execute(database: Database, statement: str) -> None:
    with database.write() as connection:
        connection.execute(text(statement))


def tags_of(path: str) -> int:
    """By the driver alone, as a file that nobody else has open."""
    with closing(sqlite3.connect(path)) as connection:
        count: int = connection.execute("SELECT count(*) FROM tags").fetchone()[0]
        return count


def names() -> set[str]:
    """All files of the folder but those of the open database."""
    return {p.name for p in Path().iterdir() if not p.name.startswith(SOURCE.name)}


def test_a_backup_is_a_database_that_can_be_used(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["db", "backup", "copy.db"]) == 0

    out = capsys.readouterr().out
    assert out.startswith(f"copy.db: schema {REVISION}, 1 repository, 2 tags\n")
    assert ", crawled until 20" in out
    assert names() == {"copy.db"}
    assert Path("copy.db").stat().st_mode & 0o777 == 0o600
    copy = open_database("sqlite:///copy.db")
    assert list(verify(copy, {}, datetime.now(UTC), lambda *_: None)) == []
    copy.close()


def test_what_stands_in_the_log_alone_is_in_the_backup(database: Database) -> None:
    assert Path("weighbridge.db-wal").stat().st_size > 0

    assert run(["db", "backup", "copy.db"]) == 0

    assert tags_of("copy.db") == 2


def test_a_backup_is_of_one_moment_and_ends_while_others_write(
    database: Database,
) -> None:
    """Another's write makes SQLite begin a copy anew that holds no snapshot."""
    execute(database, "CREATE TABLE more(bytes BLOB)")
    execute(database, "INSERT INTO more VALUES (zeroblob(40000000))")
    steps: list[int] = []
    with closing(sqlite3.connect(SOURCE, isolation_level=None)) as other:

        def write(what: str, done: int, total: int) -> None:
            steps.append(done)
            other.execute("INSERT INTO more VALUES (zeroblob(100000))")
            other.execute("UPDATE tags SET natural_key = natural_key || 'x'")

        back_up(database, SOURCE, Path("copy.db"), write, replace=False)

    assert len(steps) > 3
    assert steps == sorted(set(steps))
    with closing(sqlite3.connect("copy.db")) as copy:
        (rows,) = copy.execute("SELECT count(*) FROM more").fetchone()
        changed = "SELECT count(*) FROM tags WHERE natural_key LIKE '%x'"
        assert rows == 1
        assert copy.execute(changed).fetchone() == (0,)


@pytest.mark.parametrize(
    "file",
    [
        *(".", "absent/copy.db", "weighbridge.db", "weighbridge.db-wal", "link.db"),
        *("hard.db", "/dev/null"),
    ],
)
@pytest.mark.parametrize("options", [[], ["--replace"]], ids=str)
def test_a_name_that_cannot_be_right_is_refused_and_nothing_changes(
    database: Database,
    file: str,
    options: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("link.db").symlink_to(SOURCE)
    Path("hard.db").hardlink_to(SOURCE)
    there = names()

    assert run(["db", "backup", file, *options]) == 2

    assert "[bad_backup_file]" in capsys.readouterr().err
    assert names() == there
    assert tags_of("weighbridge.db") == 2


def test_a_file_that_is_there_is_kept(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("taken.db").write_text("mine")

    assert run(["db", "backup", "taken.db"]) == 2

    assert "[backup_exists]\n  try    --replace\n" in capsys.readouterr().err
    assert Path("taken.db").read_text() == "mine"
    assert names() == {"taken.db"}


def test_replace_puts_a_whole_backup_in_the_place_of_another(
    database: Database,
) -> None:
    Path("copy.db").write_text("another")
    Path("kept.db").hardlink_to("copy.db")

    assert run(["db", "backup", "copy.db", "--replace"]) == 0

    assert tags_of("copy.db") == 2
    assert Path("kept.db").read_text() == "another"  # it was renamed over, not written


def test_a_link_leads_to_where_the_backup_is_written(database: Database) -> None:
    Path("disk").mkdir()
    Path("copy.db").symlink_to("disk/monday.db")

    assert run(["db", "backup", "copy.db"]) == 0

    assert Path("copy.db").is_symlink()
    assert tags_of("disk/monday.db") == 2


def test_a_database_of_an_older_schema_is_backed_up_as_it_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One is wanted most just before an upgrade."""
    monkeypatch.chdir(tmp_path)
    with closing(sqlite3.connect("old.db")) as old:
        old.executescript(data_path("databases/0003.sqlite.sql").read_text("utf-8"))

    assert run(["db", "backup", "copy.db", "--database", "old.db"]) == 0

    assert ": schema 0003, " in capsys.readouterr().out
    for name in ("old.db", "copy.db"):
        with closing(sqlite3.connect(name)) as found:
            revision = found.execute("SELECT version_num FROM alembic_version")
            assert revision.fetchone() == ("0003",)


def test_of_a_damaged_database_no_backup_is_made(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    database.close()
    with SOURCE.open("r+b") as file:
        file.seek(20 * 4096)
        file.write(b"\xff" * 4096 * 20)

    assert run(["db", "backup", "copy.db"]) == 3

    assert "[database_corrupt]" in capsys.readouterr().err
    assert names() == set()


@pytest.mark.parametrize(
    ("name", "code"), [("absent.db", "no_database"), ("empty.db", "no_database")]
)
def test_of_what_is_no_database_yet_no_backup_is_made(
    database: Database, name: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty.db").touch()

    assert run(["db", "backup", "copy.db", "--database", name]) == 3

    assert f"[{code}]" in capsys.readouterr().err
    assert not Path("copy.db").exists()
    assert not Path("absent.db").exists()


def test_the_sqlite_program_reads_a_backup(database: Database) -> None:
    assert run(["db", "backup", "copy.db"]) == 0
    program = shutil.which("sqlite3")
    assert program is not None, "sqlite3 is not installed: run scripts/servers"

    done = subprocess.run(
        [program, "-readonly", "copy.db", "PRAGMA integrity_check"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "ok\n"


def test_of_a_server_the_command_is_said_without_its_password(
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = "postgresql://me:s3cret@db.example:5433/wb?sslmode=require&password=s3cret"

    assert run(["db", "backup", "a b.dump", "--database", url]) == 2

    err = capsys.readouterr().err
    assert "[use_pg_dump]" in err
    assert "s3cret" not in err
    assert shlex.split(err.splitlines()[1])[1:] == [
        "pg_dump",
        "--format=custom",
        "--file=a b.dump",
        "--dbname=postgresql://me@db.example:5433/wb?sslmode=require",
    ]
