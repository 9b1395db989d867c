"""The configured database, opened and of this version's schema."""

from collections.abc import Iterator
from contextlib import contextmanager

from weighbridge.config import Settings
from weighbridge.store.schema import check_schema, upgrade
from weighbridge.store.session import Database, open_database


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
