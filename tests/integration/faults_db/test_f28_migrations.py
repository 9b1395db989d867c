"""F28: several processes migrate at once, and one is killed on its way."""

import time
from pathlib import Path

from support.database import Engine, an_empty_url
from support.database_faults import assert_sound
from support.migrating import (
    a_waiting_upgrade,
    an_upgrade_stopped_midway,
    end_of,
    upgrade_at_once,
)
from weighbridge.errors import StoreError
from weighbridge.store.schema import REVISION, check_schema
from weighbridge.store.session import open_database

COPIES = 5
HELD_S = {"sqlite": 6.0, "postgresql": 1.0}
"""On SQLite longer than it waits for a lock by itself."""


def test_f28_five_processes_that_migrate_at_once_all_end_well(
    tmp_path: Path, engine: Engine
) -> None:
    with an_empty_url(tmp_path, engine) as url:
        assert upgrade_at_once(url, COPIES) == [REVISION] * COPIES
        assert schema_fault(url) == ""
        assert_sound(url)


def test_f28_a_migration_that_is_killed_leaves_nothing_and_the_next_one_waited(
    tmp_path: Path, engine: Engine
) -> None:
    with an_empty_url(tmp_path, engine) as url:
        with (
            an_upgrade_stopped_midway(url) as first,
            a_waiting_upgrade(url) as second,
        ):
            time.sleep(HELD_S[engine])
            assert second.poll() is None
            assert schema_fault(url) == "schema_version"
            first.kill()
            first.wait()

            assert end_of(second) == REVISION
        assert schema_fault(url) == ""
        assert_sound(url)


def schema_fault(url: str) -> str:
    """The code of what is wrong with it, or ""."""
    database = open_database(url)
    try:
        check_schema(database)
    except StoreError as exc:
        return exc.code
    finally:
        database.close()
    return ""
