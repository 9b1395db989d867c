"""Schemas that are final: what an older version has stored is there after an upgrade.

Each revision has a database in `tests/data/databases`, made by the version that had it.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Connection, inspect, text

from support.database import Engine, an_empty_url
from support.stored_database import dumped, load, stored_sql
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.schema import REVISION, check_schema, upgrade
from weighbridge.store.session import open_database

pytestmark = pytest.mark.slow

REVISIONS: Final = tuple(
    f"{number:04}" for number in range(1, int(REVISION) + 1)
)  # revisions are numbers


@pytest.fixture(params=REVISIONS)
def revision(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def stored_url(tmp_path: Path, engine: Engine, revision: str) -> Iterator[str]:
    """Of a database that a version with this revision has left."""
    with an_empty_url(tmp_path, engine) as url:
        load(url, engine, stored_sql(engine, revision).read_text("utf-8"))
        yield url


def counts(connection: Connection) -> Mapping[str, int]:
    """How many rows each table has."""
    names = inspect(connection).get_table_names()
    return {
        name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()  # noqa: S608 - a name of ours
        for name in names
    }


def test_a_new_database_has_the_schema_that_stored_ones_come_to(
    tmp_path: Path, stored_url: str, engine: Engine, revision: str
) -> None:
    """Of the newest revision, that is the stored one as it is: it is final."""
    fresh, again = tmp_path / "fresh", tmp_path / "again"
    fresh.mkdir()
    again.mkdir()
    upgrade_url(stored_url)
    with an_empty_url(fresh, engine) as url:
        upgrade_url(url)
        sql = dumped(url, engine, is_schema_only=True)
    # PostgreSQL writes conditions with other brackets once it has read its own text.
    with an_empty_url(again, engine) as url:
        if engine == "postgresql":
            load(url, engine, sql)
            sql = dumped(url, engine, is_schema_only=True)

    assert sql == dumped(stored_url, engine, is_schema_only=True)


def upgrade_url(url: str) -> None:
    database = open_database(url)
    upgrade(database)
    database.close()


def test_a_stored_database_is_brought_to_this_version(
    stored_url: str, revision: str
) -> None:
    database = open_database(stored_url)
    try:
        with database.read() as connection:
            before = counts(connection)

        assert upgrade(database) == REVISION

        check_schema(database)
        with database.read() as connection:
            after = counts(connection)
        assert {name: after.get(name) for name in before} == before
        assert list(verify(database, {}, datetime.now(UTC), lambda *_: None)) == []
    finally:
        database.close()


def test_what_is_stored_has_something_of_everything(
    engine: Engine, revision: str
) -> None:
    """Else an upgrade could lose it unseen. Queues are empty when all is done."""
    sql = stored_sql(engine, revision).read_text("utf-8")

    for name in (
        *("blob_sizes", "blobs", "crawls", "images", "instructions", "layers"),
        *("lines", "manifest_sizes", "notification_groups", "notifications"),
        *("platforms", "pushes", "registries", "repositories", "storage_scopes"),
        *("repository_blobs", "repository_summaries", "scope_blobs", "tag_moves"),
        *("tags", "tokens", "violations", "waivers", "crawl_requests", "jobs"),
    ):
        assert f"INSERT INTO public.{name} " in sql or f'INSERT INTO "{name}"' in sql
