"""Opening, migrating, closing, and transactions: the same on every database."""

import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from support.store_world import T0, an_entry
from weighbridge.errors import StoreError
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.schema import (
    REVISION,
    check_schema,
    check_writable,
    upgrade,
    upgrade_in,
)
from weighbridge.store.session import Database, open_database


def count_registries(connection: Connection) -> int:
    count: int = connection.execute(
        text("SELECT count(*) FROM registries")
    ).scalar_one()
    return count


def add_registry(connection: Connection, name: str) -> None:
    put_registry(connection, an_entry(name), T0)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "weighbridge.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:weighbridge.db?uri=true",
        "sqlite:///weighbridge.db?mode=ro",
        "postgresql+psycopg2://me@db.example/weighbridge",
        "postgresql://me@db.example",
        "sqlite+aiosqlite:///weighbridge.db",
        "mongodb://db.example/weighbridge",
    ],
)
def test_only_the_url_of_a_file_or_of_a_server_is_taken(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        open_database(url)

    assert caught.value.code == "invalid_database_url"
    assert "://" in caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:canary@db.example/weighbridge",
        "postgresql://me:5@canary@db.example:port/weighbridge",
        "postgresql://me:5@canary@db.example/weighbridge",
        "postgresql://me:5@db.example/canary@weighbridge",
        "postgresql://5:/canary@weighbridge/more@",
    ],
)
def test_a_refused_url_is_not_repeated_with_its_password(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        open_database(url)

    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_an_empty_database_has_no_schema(empty_url: str) -> None:
    database = open_database(empty_url)

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


@pytest.mark.parametrize(
    ("revision", "made_by"),
    [
        ("9999", "a newer version"),
        ("0000", "another version"),
        ("4f2c", "another version"),
        ("", "another version"),
    ],
)
def test_the_database_of_an_unknown_version_is_left_alone(
    database: Database, revision: str, made_by: str
) -> None:
    with database.write() as connection:
        statement = text("UPDATE alembic_version SET version_num = :revision")
        connection.execute(statement, {"revision": revision})

    with pytest.raises(StoreError) as caught:
        upgrade(database)

    assert caught.value.code == "schema_version"
    assert f"made by {made_by} of" in caught.value.message


def test_an_upgraded_database_passes_the_check_and_a_second_upgrade(
    database: Database,
) -> None:
    assert upgrade(database) == REVISION

    check_schema(database)


def test_alembic_finds_nothing_to_do_in_a_new_database(database: Database) -> None:
    config = Config()
    config.set_main_option("script_location", "weighbridge.store:migrations")
    config.set_main_option("path_separator", "os")

    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    check_schema(database)


def test_the_database_of_another_program_is_left_alone(empty_url: str) -> None:
    database = open_database(empty_url)
    with database.write() as connection:
        connection.execute(text("CREATE TABLE recipes(name TEXT)"))

    with pytest.raises(StoreError) as caught:
        upgrade(database)

    with database.read() as connection:
        names = inspect(connection).get_table_names()
    database.close()
    assert caught.value.code == "not_a_database"
    assert names == ["recipes"]


def test_two_upgrades_at_once_both_succeed(empty_url: str) -> None:
    databases = [open_database(empty_url) for _ in range(2)]

    with ThreadPoolExecutor() as pool:
        revisions = list(pool.map(upgrade, databases))

    assert revisions == [REVISION, REVISION]
    for database in databases:
        check_schema(database)
        database.close()


def test_an_upgrade_that_fails_leaves_nothing(empty_url: str) -> None:
    database = open_database(empty_url)

    def fail() -> None:
        with database.write() as connection:
            upgrade_in(connection)
            raise LookupError

    with pytest.raises(LookupError):
        fail()

    with database.read() as connection:
        names = inspect(connection).get_table_names()
    database.close()
    assert names == []


def test_the_newest_migration_is_the_revision_that_the_code_wants() -> None:
    config = Config()
    config.set_main_option("script_location", "weighbridge.store:migrations")
    config.set_main_option("path_separator", "os")

    scripts = ScriptDirectory.from_config(config)

    assert scripts.get_current_head() == REVISION


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

    # More threads than PostgreSQL gets connections.
    with ThreadPoolExecutor(max_workers=30) as pool:
        counts = list(pool.map(work, range(60)))

    assert max(counts) == 60


def test_the_text_of_a_driver_error_is_not_shown(database: Database) -> None:
    with pytest.raises(StoreError) as caught, database.write() as connection:
        connection.execute(text("SELECT canary FROM registries"))

    assert caught.value.code == "store_error"
    assert "canary" not in caught.value.message


@pytest.mark.only_on("postgresql")
def test_a_database_that_is_set_to_take_no_writes_takes_none_from_a_former_reader(
    database: Database,
) -> None:
    with database.read() as connection:
        name = connection.exec_driver_sql("SELECT current_database()").scalar()
    with database.write() as connection:
        connection.exec_driver_sql(
            f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'
        )
    database.close()
    with database.read() as connection:
        count_registries(connection)

    with pytest.raises(StoreError) as caught, database.write() as connection:
        add_registry(connection, "hub")

    assert caught.value.code == "read_only"
    with pytest.raises(StoreError) as seen:
        check_writable(database)
    assert seen.value.code == "read_only"


def test_a_database_that_can_be_written_is_said_to_be(database: Database) -> None:
    check_writable(database)
