"""SQLite: its file, its settings, and what its errors become."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from support.database import a_database
from support.store_world import T0, an_entry
from weighbridge.errors import StoreError
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.schema import upgrade
from weighbridge.store.session import Database, open_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with a_database(tmp_path) as opened:
        yield opened


def count_registries(connection: Connection) -> int:
    count: int = connection.execute(
        text("SELECT count(*) FROM registries")
    ).scalar_one()
    return count


def add_registry(connection: Connection, name: str) -> None:
    put_registry(connection, an_entry(name), T0)


def test_the_folder_of_the_file_is_made(tmp_path: Path) -> None:
    path = tmp_path / "some" / "where" / "weighbridge.db"

    open_database(f"sqlite:///{path}").close()

    assert path.exists()


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/w.db")

    upgrade(database)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    database.close()

    assert modes == {"w.db": 0o600, "w.db-wal": 0o600, "w.db-shm": 0o600}


def test_the_rights_that_a_file_was_given_stay(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    path.touch()
    path.chmod(0o640)

    open_database(f"sqlite:///{path}").close()

    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_that_must_exist_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "some" / "weighbridge.db"

    with pytest.raises(StoreError) as caught:
        open_database(f"sqlite:///{path}", must_exist=True)

    assert caught.value.code == "no_database"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_must_exist_is_opened(tmp_path: Path) -> None:
    open_database(f"sqlite:///{tmp_path}/w.db").close()

    open_database(f"sqlite:///{tmp_path}/w.db", must_exist=True).close()


def test_a_relative_path_is_taken_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    open_database("sqlite:///here.db").close()

    assert (tmp_path / "here.db").exists()


def test_a_folder_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        open_database(f"sqlite:///{tmp_path}")

    assert caught.value.code == "cannot_open"


def test_a_file_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError) as caught:
        open_database(f"sqlite:///{tmp_path}/file/weighbridge.db")

    assert caught.value.code == "cannot_open"


def test_a_file_of_something_else_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to have a header " * 10)

    with pytest.raises(StoreError) as caught:
        open_database(f"sqlite:///{path}")

    assert caught.value.code == "not_a_database"


def everything_in(folder: Path) -> dict[str, tuple[bytes, int]]:
    """The content of each file, and when it was written."""
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir()}


@pytest.mark.parametrize("journal", ["delete", "wal", "persist"])
def test_the_database_of_another_program_is_refused_before_anything_is_written(
    tmp_path: Path, journal: str
) -> None:
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute(f"PRAGMA journal_mode = {journal}")
        theirs.execute("CREATE TABLE recipes(name TEXT)")
    before = everything_in(tmp_path)

    with pytest.raises(StoreError, match="'recipes'") as caught:
        open_database(f"sqlite:///{path}")

    assert caught.value.code == "not_a_database"
    assert everything_in(tmp_path) == before


def test_what_another_program_is_writing_is_left_to_it(tmp_path: Path) -> None:
    """Its table is in its log alone, and its transaction is under way."""
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as theirs:
        theirs.execute("PRAGMA journal_mode = WAL")
        theirs.execute("CREATE TABLE recipes(name TEXT)")
        theirs.execute("BEGIN IMMEDIATE")
        theirs.execute("INSERT INTO recipes VALUES ('soup')")
        before = everything_in(tmp_path)

        with pytest.raises(StoreError) as caught:
            open_database(f"sqlite:///{path}")

        assert everything_in(tmp_path) == before
        theirs.execute("COMMIT")
    assert caught.value.code == "not_a_database"


@pytest.mark.parametrize("make", ["pipe", "device", "socket"])
def test_what_is_no_regular_file_is_refused_before_it_is_opened(
    tmp_path: Path, make: str
) -> None:
    path = tmp_path / make
    if make == "pipe":
        os.mkfifo(path)
    elif make == "socket":
        os.mknod(path, 0o140600)
    else:
        path.symlink_to("/dev/null")

    with pytest.raises(StoreError, match="it is not a regular file") as caught:
        open_database(f"sqlite:///{path}")

    assert caught.value.code == "cannot_open"
    assert [found.name for found in tmp_path.iterdir()] == [make]


def test_our_own_file_is_known_while_all_of_it_is_in_its_log(tmp_path: Path) -> None:
    first = open_database(f"sqlite:///{tmp_path}/w.db")
    upgrade(first)

    assert (tmp_path / "w.db-wal").stat().st_size > 0
    open_database(f"sqlite:///{tmp_path}/w.db").close()
    first.close()


def test_a_folder_is_named_as_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"{tmp_path}: it is a directory"):
        open_database(f"sqlite:///{tmp_path}")


def test_the_driver_is_set_up_as_the_design_says(database: Database) -> None:
    wanted = {
        "journal_mode": "wal",
        "synchronous": 1,
        "foreign_keys": 1,
        "busy_timeout": 5000,
    }

    with database.read() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in wanted
        }

    assert found == wanted


def test_a_database_that_another_process_keeps_locked_is_busy(
    database: Database, tmp_path: Path
) -> None:
    with database.read() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(tmp_path / "weighbridge.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreError) as caught, database.write():
        pass

    other.close()
    assert (caught.value.code, caught.value.retryable) == ("database_busy", True)


def test_f28_a_new_file_that_another_process_prepares_is_waited_for(
    tmp_path: Path,
) -> None:
    """SQLite itself does not wait where a file is to be switched to a log."""
    path = tmp_path / "w.db"
    with closing(sqlite3.connect(path, check_same_thread=False)) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        ending = threading.Timer(0.3, other.execute, ("COMMIT",))
        ending.start()
        try:
            opened = open_database(f"sqlite:///{path}")
        finally:
            ending.join()

    with closing(opened), opened.read() as connection:
        mode = connection.execute(text("PRAGMA journal_mode")).scalar_one()
    assert mode == "wal"


def test_a_full_disk_is_named_and_reading_goes_on(database: Database) -> None:
    with database.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(StoreError) as caught, database.write() as connection:
        add_registry(connection, "a very long name" * 100_000)

    assert (caught.value.code, caught.value.retryable) == ("disk_full", True)
    with database.read() as connection:
        assert count_registries(connection) == 0


def test_a_database_that_cannot_be_written_is_named(database: Database) -> None:
    with database.read() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")

    with pytest.raises(StoreError) as caught, database.write() as connection:
        add_registry(connection, "hub")

    assert caught.value.code == "read_only"
