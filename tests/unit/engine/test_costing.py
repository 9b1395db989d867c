"""What a piece of work asks of a registry is added to the registry's row, once."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from support.crawling import Yard, a_yard
from support.fake_registry import FakeRegistry
from support.store_world import an_entry
from weighbridge.engine.context.parts import Costing
from weighbridge.engine.writer.writer import Writer
from weighbridge.store.registries.registry_rows import put_registry
from weighbridge.store.reports.inventory import registry_reports

FAILS = """
CREATE TRIGGER no_count BEFORE UPDATE OF requests ON registries
BEGIN SELECT RAISE(ABORT, 'not now'); END
"""


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path) as made:
        yield made


@pytest.fixture
def writer(yard: Yard) -> Iterator[Writer]:
    made = Writer(yard.database, patience_s=0.0)
    yield made
    made.close()


def counted(yard: Yard) -> tuple[int | None, int | None]:
    with yard.database.read() as connection:
        (report,) = registry_reports(connection)
    return report.requests, report.bytes_read


def run(yard: Yard, sql: str) -> None:
    with yard.database.write() as connection:
        connection.execute(text(sql))


async def test_only_what_is_new_is_added(yard: Yard, writer: Writer) -> None:
    await writer.write(put_registry, an_entry(), yard.now)
    told = list[tuple[int, int]]()
    costing = Costing(
        writer, an_entry().name, lambda _, n, size: told.append((n, size))
    )
    cost = costing.cost

    cost.requests, cost.bytes_read = 5, 500
    await costing.note(FakeRegistry())
    cost.requests, cost.bytes_read = 8, 800
    await costing.note(FakeRegistry())
    await costing.note(FakeRegistry())

    assert counted(yard) == (8, 800)
    assert told == [(5, 500), (3, 300), (0, 0)]


async def test_what_could_not_be_stored_is_added_the_next_time(
    yard: Yard, writer: Writer
) -> None:
    await writer.write(put_registry, an_entry(), yard.now)
    costing = Costing(writer, an_entry().name, lambda *_: None)
    cost = costing.cost
    cost.requests, cost.bytes_read = 5, 500
    run(yard, FAILS)
    await costing.note(FakeRegistry())
    assert counted(yard) == (0, 0)

    run(yard, "DROP TRIGGER no_count")
    await costing.note(FakeRegistry())

    assert counted(yard) == (5, 500)


async def test_two_that_note_at_once_add_it_once(yard: Yard, writer: Writer) -> None:
    await writer.write(put_registry, an_entry(), yard.now)
    costing = Costing(writer, an_entry().name, lambda *_: None)
    cost = costing.cost
    cost.requests, cost.bytes_read = 5, 500

    await asyncio.gather(*(costing.note(FakeRegistry()) for _ in range(3)))

    assert counted(yard) == (5, 500)
