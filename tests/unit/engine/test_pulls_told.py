"""What registries tell of pulls is kept by crawls, at the cost of no request where a
listing says it, and of one a day where a repository is on no list."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.crawling import Yard, a_yard
from support.fake_registry import FakeRegistry
from support.images import a_served_image, some_layers
from weighbridge.domain.report.traffic import TrafficReport
from weighbridge.domain.traffic.months import month_of
from weighbridge.domain.traffic.pulls import PullCount
from weighbridge.engine.context.parts import Scope
from weighbridge.errors import RegistryError, TransportError
from weighbridge.store.named_rows import find_place
from weighbridge.store.reports.traffic import find_traffic, last_pulls, month_uses

NAME = "shop/api"
ONLY = Scope(only=(NAME,))


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path) as made:
        yield made


@dataclass
class TellingRegistry(FakeRegistry):
    """Asked for one repository, it tells its pulls."""

    async def pulls(self, repository: str) -> PullCount | None:
        self._ask("pulls", repository)
        return self.pull_counts.get(repository)


def a_registry(pulls: int = 100) -> TellingRegistry:
    registry = TellingRegistry()
    registry.put(NAME, "v1", a_served_image(some_layers(2_000)))
    registry.pull_counts[NAME] = PullCount(pulls)
    return registry


def traffic(yard: Yard) -> TrafficReport:
    with yard.database.read() as connection:
        place = find_place(connection, yard.entry.name, NAME)
        assert place is not None
        return find_traffic(connection, place.id, month_of(yard.now))


async def test_what_a_listing_tells_is_counted_without_another_request(
    yard: Yard,
) -> None:
    registry = a_registry()
    await yard.crawl(registry)
    before = registry.cost.requests
    registry.pull_counts[NAME] = PullCount(106)

    await yard.crawl(registry)

    found = traffic(yard)
    assert (found.pulls, found.traffic_low_bytes) == (6, 3 * 2_000)
    assert found.traffic_high_bytes == 6 * 2_000
    # The listing, its tags, and the HEAD of one tag.
    assert registry.cost.requests - before == 3


async def test_a_repository_that_is_on_no_list_is_asked_for_once_a_day(
    yard: Yard,
) -> None:
    registry = a_registry()
    for _ in range(3):  # an hour apart
        await yard.crawl(registry, ONLY)

    assert registry.count("pulls") == 1
    yard.now += timedelta(days=1)
    registry.pull_counts[NAME] = PullCount(104)
    await yard.crawl(registry, ONLY)

    assert registry.count("pulls") == 2
    assert traffic(yard).pulls == 4


@pytest.mark.parametrize(
    "error",
    [
        TransportError("no answer", code="timeout"),
        RegistryError("no", code="denied"),
    ],
)
async def test_what_is_not_told_stops_no_crawl(
    yard: Yard, error: RegistryError | TransportError
) -> None:
    registry = a_registry()
    registry.breaks["pulls", NAME] = error

    done = await yard.crawl(registry, ONLY)

    assert not done.faults
    assert yard.repository(NAME).state == "ok"
    assert traffic(yard).reason == "not_counted"


async def test_when_tags_were_pulled_is_kept_with_the_crawl_that_finds_them(
    yard: Yard,
) -> None:
    registry = a_registry()
    at = datetime(2026, 2, 1, tzinfo=UTC)
    registry.pulled_at[NAME, "v1"] = at

    await yard.crawl(registry)

    with yard.database.read() as connection:
        place = find_place(connection, yard.entry.name, NAME)
        assert place is not None
        assert last_pulls(connection, place.id).by_tag == {"v1": at}
    registry.pulled_at[NAME, "v1"] = at + timedelta(hours=3)
    with yard.counted_rows() as written:
        await yard.crawl(registry)
    unchanged = sum(written)
    registry.pulled_at[NAME, "v1"] = at
    with yard.counted_rows() as written:
        await yard.crawl(registry)
    assert sum(written) == unchanged


async def test_what_is_stored_is_noted_by_the_first_listing_of_a_day(
    yard: Yard,
) -> None:
    registry = a_registry()
    await yard.crawl(registry)
    await yard.crawl(registry)
    yard.now += timedelta(days=1)
    await yard.crawl(registry)

    with yard.database.read() as connection:
        (use,) = month_uses(connection, month_of(yard.now), yard.now)
    stored = yard.repository(NAME).deduplicated_bytes
    assert stored
    assert (use.days, use.byte_days) == (2, 2 * stored)
