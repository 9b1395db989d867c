"""The schema of a database: bringing it to this version, what that would do, checking
it, and whether it takes writes."""

import importlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from sqlalchemy import Connection, inspect, select, table, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.functions import count

from weighbridge.errors import StoreError
from weighbridge.store.connection.deadlines import unhurried
from weighbridge.store.connection.failures import read_only, store_error
from weighbridge.store.dialect import POSTGRESQL, Purpose, lock
from weighbridge.store.session import Database

if TYPE_CHECKING:
    # Imported late: most starts do not need it.
    from alembic.config import Config
    from alembic.script import Script

REVISION: Final = "0009"
"""The newest migration; code and schema of another revision do not work together."""
_OLDER: Final[frozenset[str]] = frozenset(
    {"0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008"}
)
"""Revisions that `upgrade` starts from, besides an empty database."""
_PATIENCE_S: Final = 600.0
"""So long an upgrade waits for whoever holds a database."""


def upgrade(database: Database) -> str:
    """Bring the schema to this version's revision, and return it.

    Safe to run in several processes at once: the first one works, in a transaction
    of its own, and the others then find nothing to do. One that is killed leaves
    nothing behind. Raises StoreError(schema_version) for the database of a newer or
    an unknown version, StoreError(not_a_database) for another program's,
    StoreError(upgrade_failed, disk_full, ...) where a migration fails; the database is
    then as it was.
    """
    found = _revision(database)
    if found == REVISION:
        return REVISION
    if found is not None:
        # It takes a while, in which nobody need be kept waiting for the lock.
        importlib.import_module("alembic.command")
    ends_at = time.monotonic() + _PATIENCE_S
    while True:
        try:
            with unhurried(), database.write() as connection:
                upgrade_in(connection)
        except StoreError as exc:
            # SQLite waits five seconds for a lock, and another one's upgrade takes
            # as long as it takes.
            if exc.code != "database_busy" or time.monotonic() > ends_at:
                raise
        else:
            return REVISION


def upgrade_in(connection: Connection) -> None:
    """The same in a transaction of the caller's; nobody else upgrades until it ends."""
    if connection.dialect.name == POSTGRESQL:
        # However long another one's upgrade takes, we wait for it.
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
    lock(connection, Purpose.UPGRADE)
    # Read again: another process may have upgraded while we waited for the lock.
    found = _revision_in(connection)
    if found == REVISION:
        return
    if found is not None:
        refuse_unknown(found)
    else:
        # Imported late, as alembic below: most starts do not need it.
        from weighbridge.store.creation import make_tables

        _refuse_foreign(connection)
        make_tables(connection, REVISION)
        return
    from alembic import command

    config = _configured()
    config.attributes["connection"] = connection
    for script in _pending(config, found):
        try:
            command.upgrade(config, script.revision)
        except DBAPIError as exc:
            raise _failed(script.revision, store_error(exc), found) from exc


def _configured() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "weighbridge.store:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _pending(config: "Config", found: str) -> "Iterator[Script]":
    """The migrations from this revision to this version's, in their order."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(config)
    return reversed(list(scripts.iterate_revisions(REVISION, found)))


def _failed(revision: str, cause: StoreError, found: str) -> StoreError:
    """What can be put right keeps its code, such as `disk_full`."""
    return StoreError(
        f"the upgrade to schema {revision} failed: {cause.message}",
        code="upgrade_failed" if cause.code == StoreError.code else cause.code,
        hint=f"nothing was changed: the database has schema {found} as before, and the "
        "version that used it can go on",
        retryable=cause.retryable,
    )


class UpgradeStep(Struct, frozen=True):
    """One migration.

    reads: the tables whose rows it goes over, with their number of rows: as long as
           that lasts, nobody else writes into them
    """

    revision: str
    summary: str
    reads: Mapping[str, int]


class UpgradePlan(Struct, frozen=True):
    """What `upgrade` would do.

    found: the schema of the database; None for an empty one, of which all tables are
           made
    """

    found: str | None
    needed: str
    steps: tuple[UpgradeStep, ...]


def plan_upgrade(database: Database) -> UpgradePlan:
    """Raises what `upgrade` does. Nothing is changed."""
    with database.read() as connection:
        found = _revision_in(connection)
        if found is None:
            _refuse_foreign(connection)
        if found in (None, REVISION):
            return UpgradePlan(found, REVISION, ())
        refuse_unknown(found)
        return UpgradePlan(
            found,
            REVISION,
            tuple(
                _step(script, connection) for script in _pending(_configured(), found)
            ),
        )


def _step(script: "Script", connection: Connection) -> UpgradeStep:
    reads = {
        name: int(
            connection.execute(select(count()).select_from(table(name))).scalar_one()
        )
        for name in getattr(script.module, "READS", ())
    }
    return UpgradeStep(script.revision, script.doc.rstrip("."), reads)


def refuse_unknown(found: str) -> None:
    """Raises StoreError(schema_version) for a revision that `upgrade` cannot start
    from, and that is not this version's."""
    if found != REVISION and found not in _OLDER:
        raise _unknown(found)


def _unknown(found: str) -> StoreError:
    # Revisions are numbers; what is no number, or a lower one that is not in
    # `_OLDER`, says nothing of which version is newer.
    is_newer = found.isdecimal() and int(found) > int(REVISION)
    other = "a newer" if is_newer else "another"
    return StoreError(
        f"the database has schema {found}, made by {other} version of weighbridge; "
        f"this version knows {REVISION}",
        code="schema_version",
        hint="use that version, or name another database",
    )


def _refuse_foreign(connection: Connection) -> None:
    """Tables that are there before our first one are somebody else's."""
    if tables := inspect(connection).get_table_names():
        raise StoreError(
            f"the database holds tables of another program ({tables[0]}, ...)",
            code="not_a_database",
            hint="name a database of weighbridge's own",
        )


def check_schema(database: Database) -> None:
    """Raises StoreError(schema_version) if the schema is another revision's."""
    if (older := older_schema(database)) is not None:
        raise older


def older_schema(database: Database) -> StoreError | None:
    """What is to be said of a schema that `upgrade` brings to this version's; None for
    this version's. Raises StoreError(schema_version) for every other."""
    found = _revision(database)
    if found == REVISION:
        return None
    if found is not None:
        refuse_unknown(found)
    return StoreError(
        f"the database has schema {found or 'none'}, this version needs {REVISION}",
        code="schema_version",
        hint="run: weighbridge db upgrade",
    )


def _revision(database: Database) -> str | None:
    with database.read() as connection:
        return _revision_in(connection)


def _revision_in(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    statement = text("SELECT version_num FROM alembic_version")
    found: str | None = connection.execute(statement).scalar()
    return found


# What this session was given at its start; a reader's own transaction is always
# read only, which says nothing.
_SERVER_TAKES_NONE: Final = text(
    "SELECT pg_is_in_recovery()"
    " OR current_setting('default_transaction_read_only')::boolean"
)
_FILES: Final = text("SELECT file FROM pragma_database_list WHERE name = 'main'")


def check_writable(database: Database) -> None:
    """Raises StoreError(read_only) where writing would fail, as far as that can be
    seen beforehand: rights and mounts of a file; a standby, or a setting of the
    server, the user or the database as it was when the session began."""
    with database.read() as connection:
        is_server = connection.dialect.name == POSTGRESQL
        if is_server:
            takes_none = bool(connection.execute(_SERVER_TAKES_NONE).scalar_one())
        else:
            takes_none = not _is_writable_file(connection)
    if takes_none:
        raise read_only(is_server=is_server)


def _is_writable_file(connection: Connection) -> bool:
    """SQLite writes two more files beside its own, so the folder counts too."""
    path = Path(connection.execute(_FILES).scalar_one())
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
