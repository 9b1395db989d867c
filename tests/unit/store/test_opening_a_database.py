"""Opening, migrating and closing; transactions; what a driver's errors become."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from weighbridge.errors import StoreError
from weighbridge.store.models import metadata
from weighbridge.store.session import (
    REVISION,
    Database,
    check_schema,
    open_database,
    upgrade,
)


def count_registries(connection: Connection) -> int:
    count: int = connection.execute(
        text("SELECT count(*) FROM registries")
    ).scalar_one()
    return count


def add_registry(connection: Connection, name: str) -> None:
    connection.execute(
        text(
            "INSERT INTO registries(name, kind, url, storage_scope, interval_s, state,"
            " state_reason, state_since, requests, bytes_read, revision)"
            " VALUES (:name, 'distribution', 'u', 'registry', 60, 'new', '', 0, 0,"
            " 0, 0)"
        ),
        {"name": name},
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "weighbridge.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:weighbridge.db?uri=true",
        "sqlite:///weighbridge.db?mode=ro",
        "postgresql+psycopg://me@db.example/weighbridge",
        "sqlite+aiosqlite:///weighbridge.db",
        "mongodb://db.example/weighbridge",
    ],
)
def test_only_the_url_of_a_sqlite_file_is_taken(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        open_database(url)

    assert caught.value.code == "invalid_database_url"
    assert "sqlite:///file.db" in caught.value.hint


def test_a_refused_url_is_not_repeated_with_its_password() -> None:
    with pytest.raises(StoreError) as caught:
        open_database("postgresql://me:canary@db.example/weighbridge")

    assert "canary" not in caught.value.message + caught.value.hint


def test_the_folder_of_the_file_is_made(tmp_path: Path) -> None:
    path = tmp_path / "some" / "where" / "weighbridge.db"

    open_database(f"sqlite:///{path}").close()

    assert path.exists()


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


def test_an_empty_database_has_no_schema(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/empty.db")

    with pytest.raises(StoreError) as caught:
        check_schema(database)

    database.close()
    assert caught.value.code == "schema_version"
    assert "weighbridge db upgrade" in caught.value.hint


def test_another_revision_is_refused(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(StoreError) as caught:
        check_schema(database)

    assert "9999" in caught.value.message


def test_the_database_of_a_newer_version_is_left_alone(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(StoreError) as caught:
        upgrade(database)

    assert caught.value.code == "schema_version"
    assert "newer" in caught.value.message


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("CREATE TABLE recipes(name TEXT)")
    database = open_database(f"sqlite:///{path}")

    with pytest.raises(StoreError) as caught:
        upgrade(database)

    database.close()
    assert caught.value.code == "not_a_database"
    with closing(sqlite3.connect(path)) as theirs:
        names = theirs.execute("SELECT name FROM sqlite_master").fetchall()
    assert names == [("recipes",)]


def test_a_folder_is_named_as_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"{tmp_path}: it is a directory"):
        open_database(f"sqlite:///{tmp_path}")


def test_an_upgraded_database_passes_the_check_and_a_second_upgrade(
    database: Database,
) -> None:
    assert upgrade(database) == REVISION

    check_schema(database)


def test_two_upgrades_at_once_both_succeed(tmp_path: Path) -> None:
    databases = [open_database(f"sqlite:///{tmp_path}/new.db") for _ in range(2)]

    with ThreadPoolExecutor() as pool:
        revisions = list(pool.map(upgrade, databases))

    assert revisions == [REVISION, REVISION]
    for database in databases:
        check_schema(database)
        database.close()


def test_the_newest_migration_is_the_revision_that_the_code_wants() -> None:
    config = Config()
    config.set_main_option("script_location", "weighbridge.store:migrations")
    config.set_main_option("path_separator", "os")

    scripts = ScriptDirectory.from_config(config)

    assert scripts.get_current_head() == REVISION


def test_the_migrations_make_exactly_the_tables_of_the_models(
    database: Database,
) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection)

        assert compare_metadata(context, metadata) == []


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


def test_a_failed_block_writes_nothing(database: Database) -> None:
    def fail() -> None:
        with database.write() as connection:
            add_registry(connection, "hub")
            raise LookupError

    with pytest.raises(LookupError):
        fail()

    with database.read() as connection:
        assert count_registries(connection) == 0


def test_a_reader_sees_one_state_while_others_write(database: Database) -> None:
    with database.read() as reader:
        before = count_registries(reader)
        with database.write() as writer:
            add_registry(writer, "hub")

        assert count_registries(reader) == before

    with database.read() as reader:
        assert count_registries(reader) == 1


def test_one_database_serves_many_threads(database: Database) -> None:
    def work(number: int) -> int:
        with database.write() as connection:
            add_registry(connection, f"registry-{number}")
        with database.read() as connection:
            return count_registries(connection)

    with ThreadPoolExecutor(max_workers=20) as pool:
        counts = list(pool.map(work, range(60)))

    assert max(counts) == 60


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


def test_the_text_of_a_driver_error_is_not_shown(database: Database) -> None:
    with pytest.raises(StoreError) as caught, database.write() as connection:
        connection.execute(text("SELECT canary FROM registries"))

    assert caught.value.code == "store_error"
    assert "canary" not in caught.value.message
