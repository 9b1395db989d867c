"""The configured database, opened and of this version's schema."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weighbridge.config import Settings
from weighbridge.domain.text.printable import printable
from weighbridge.errors import UsageError
from weighbridge.store.access import Act, note_act
from weighbridge.store.backup.backing_up import Watch, back_up
from weighbridge.store.backup.contents import Contents
from weighbridge.store.backup.restoring import Restored, restore
from weighbridge.store.backup.server_tools import dump_needed, restore_needed
from weighbridge.store.reports.inventory import registry_names
from weighbridge.store.schema import (
    UpgradePlan,
    check_schema,
    plan_upgrade,
    upgrade,
)
from weighbridge.store.session import Connection, Database, address_of, open_database


@contextmanager
def ready_database(
    settings: Settings, *, must_exist: bool = False
) -> Iterator[Database]:
    """The configured database with this version's schema.

    must_exist: raises StoreError(no_database) for a SQLite file that is absent, in
                place of making it: for whoever only wants what was kept
    """
    database = open_database(settings.database_url.reveal(), must_exist=must_exist)
    try:
        upgrade(database)
        yield database
    finally:
        database.close()


@contextmanager
def read_database(
    settings: Settings, registry: str | None = None
) -> Iterator[Connection]:
    """The same, of which only what was kept is read.

    registry: the one whose rows are asked for
    Raises UsageError(unknown_registry), StoreError(no_database).
    """
    with (
        ready_database(settings, must_exist=True) as database,
        database.read() as connection,
    ):
        if registry is not None:
            check_registry(connection, registry)
        yield connection


def check_registry(connection: Connection, name: str) -> None:
    """Tell an empty answer from a misspelt name.

    Raises UsageError(unknown_registry).
    """
    known = registry_names(connection)
    if name not in known:
        raise UsageError(
            f"no registry called {printable(name, 70)!r} was ever crawled",
            code="unknown_registry",
            hint=f"there are  {', '.join(known) or 'none yet'}",
        )


@contextmanager
def checked_database(settings: Settings) -> Iterator[Database]:
    """The configured database, if it has this version's schema already.

    Several processes share it: one of them must not change it under the others.
    Raises StoreError(schema_version, no_database, ...).
    """
    database = open_database(settings.database_url.reveal(), must_exist=True)
    try:
        check_schema(database)
        yield database
    finally:
        database.close()


def upgrade_database(settings: Settings) -> str:
    """Bring the configured database to this version's schema; returns it."""
    database = open_database(settings.database_url.reveal())
    try:
        return upgrade(database)
    finally:
        database.close()


def planned_upgrade(settings: Settings) -> UpgradePlan:
    """What that would do. Raises what it does, and StoreError(no_database)."""
    database = open_database(settings.database_url.reveal(), must_exist=True)
    try:
        return plan_upgrade(database)
    finally:
        database.close()


def backed_up(
    settings: Settings, file: str, watch: Watch, *, replace: bool
) -> Contents:
    """Write what the configured database holds into a file, whatever its schema.

    Raises UsageError(use_pg_dump, bad_backup_file, backup_exists),
    StoreError(no_database, backup_failed, disk_full, ...).
    """
    url = settings.database_url.reveal()
    address, is_server = address_of(url)
    if is_server:
        raise dump_needed(address, file)
    database = open_database(url, must_exist=True)
    try:
        source = Path(str(address.database))
        return back_up(database, source, Path(file), watch, replace=replace)
    finally:
        database.close()


def restored(
    settings: Settings, file: str, watch: Watch, act: Act, *, replace: bool
) -> Restored:
    """Put what a backup holds in the place of the configured database.

    act: is noted in what was restored
    Raises UsageError(use_pg_restore, bad_backup_file, database_exists),
    StoreError(not_a_database, schema_version, database_in_use, disk_full, ...).
    """
    url = settings.database_url.reveal()
    address, is_server = address_of(url)
    if is_server:
        raise restore_needed(address, file)
    target = Path(str(address.database))
    done = restore(target, Path(file), watch, act.at, replace=replace)
    database = open_database(url, must_exist=True)
    try:
        with database.write() as connection:
            note_act(connection, act)
    finally:
        database.close()
    return done
