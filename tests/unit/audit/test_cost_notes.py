"""What a crawl asks is counted while it runs, so that a page can be watched."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.crawling import Yard, a_yard
from support.fake_registry import FakeRegistry
from support.store_world import an_entry
from support.wait import wait_until
from weighbridge.audit.cost_notes import CostNotes
from weighbridge.audit.writer import Writer
from weighbridge.store.registries import note_discovery, put_registry
from weighbridge.store.reports import registry_reports


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path) as made:
        yield made


def counted(yard: Yard) -> tuple[int, int]:
    with yard.database.read() as connection:
        (report,) = registry_reports(connection)
    return report.requests, report.bytes_read


async def test_a_first_crawl_counts_up_before_it_ends(yard: Yard) -> None:
    registry, writer = FakeRegistry(), Writer(yard.database)
    registry_id = await writer.write(put_registry, an_entry(), yard.now)

    async with CostNotes(registry, writer, count_s=0.01).kept(registry_id):
        registry.cost.requests, registry.cost.bytes_read = 5, 500
        await wait_until(lambda: counted(yard) == (5, 500), "five requests are kept")
        registry.cost.requests, registry.cost.bytes_read = 8, 800
        await wait_until(lambda: counted(yard) == (8, 800), "eight requests are kept")
    writer.close()

    assert counted(yard) == (8, 800)


async def test_a_later_crawl_writes_its_cost_once(yard: Yard) -> None:
    registry, writer = FakeRegistry(), Writer(yard.database)
    registry_id = await writer.write(put_registry, an_entry(), yard.now)
    await writer.write(note_discovery, registry_id, complete=True, now=yard.now)
    registry.cost.requests = 7

    async with CostNotes(registry, writer, count_s=0.0).kept(registry_id):
        registry.cost.requests += 5
        await writer.read(registry_reports)
        assert counted(yard) == (0, 0)
    writer.close()

    assert counted(yard) == (5, 0)


async def test_what_was_asked_is_kept_where_the_crawl_fails(yard: Yard) -> None:
    registry, writer = FakeRegistry(), Writer(yard.database)
    registry_id = await writer.write(put_registry, an_entry(), yard.now)

    async def crawl() -> None:
        async with CostNotes(registry, writer).kept(registry_id):
            registry.cost.requests = 3
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await crawl()
    writer.close()

    assert counted(yard) == (3, 0)
