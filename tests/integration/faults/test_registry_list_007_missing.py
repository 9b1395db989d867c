"""registry_list-007: 404 NAME_UNKNOWN for a repository that was there before."""

import pytest

from support.fault_proxy import fault_proxy
from support.faults import error, listing_altered
from support.faulty_crawls import HOUR, CrawledDatabase
from support.two_moments import TwoMoments

# What a registry does wrong comes to either database by the same calls; `test_mixtures`
# has all of it on both.
pytestmark = pytest.mark.long_on("postgresql")

UNKNOWN = error(404, "NAME_UNKNOWN")
GONE = "shop/app"


def live_tags(database: CrawledDatabase) -> int:
    records = database.records()
    return sum(1 for tag in records if tag.startswith(f"{GONE}:") and records[tag])


def test_registry_list_007_a_404_alone_keeps_everything(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    before = database.repository(GONE)
    with fault_proxy(moments.before.url) as proxy:
        proxy.spoil(UNKNOWN, target=f"/{GONE}/")

        database.crawl(proxy.url)

    after = database.repository(GONE)
    assert before is not None
    assert after is not None
    assert (after.state, after.tags, live_tags(database)) == ("missing", 30, 30)
    # What pages and metrics show does not drop to 0.
    assert after.weighed_bytes == before.weighed_bytes
    assert after.newest_digest == before.newest_digest
    assert after.last_complete_crawl_at == before.last_complete_crawl_at
    assert after.state_since == database.now


def test_registry_list_007_three_crawls_within_a_day_remove_nothing(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    with fault_proxy(moments.before.url) as proxy:
        proxy.spoil(UNKNOWN, target=f"/{GONE}/")

        for _ in range(5):
            database.crawl(proxy.url)
            database.now += 5 * HOUR

    assert live_tags(database) == 30


def test_registry_list_007_two_crawls_over_a_day_remove_nothing(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    with fault_proxy(moments.before.url) as proxy:
        proxy.spoil(UNKNOWN, target=f"/{GONE}/")

        database.crawl(proxy.url)
        database.now += 30 * HOUR
        database.crawl(proxy.url)

    assert live_tags(database) == 30


def test_registry_list_007_three_crawls_over_a_day_are_enough(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    with fault_proxy(moments.before.url) as proxy:
        proxy.spoil(UNKNOWN, target=f"/{GONE}/")

        for _ in range(3):
            database.crawl(proxy.url)
            database.now += 13 * HOUR

    assert live_tags(database) == 0


def test_registry_list_007_a_catalog_without_it_agrees(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    with fault_proxy(moments.before.url) as proxy:
        proxy.spoil(UNKNOWN, target=f"/{GONE}/")
        proxy.spoil(
            listing_altered(lambda names: [n for n in names if n != GONE]),
            kind="catalog",
        )

        database.crawl(proxy.url)
        database.now += HOUR
        database.crawl(proxy.url)

    assert live_tags(database) == 0


def test_registry_list_007_a_catalog_that_breaks_off_does_not_agree(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    with fault_proxy(moments.before.url) as proxy:
        proxy.spoil(UNKNOWN, target=f"/{GONE}/")
        proxy.spoil(error(403, "DENIED"), kind="catalog")

        database.crawl(proxy.url)
        database.now += HOUR
        database.crawl(proxy.url)

    assert live_tags(database) == 30


def test_registry_list_007_one_that_returns_is_as_it_was(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    before = database.dump()
    with fault_proxy(moments.before.url) as proxy:
        proxy.spoil(UNKNOWN, target=f"/{GONE}/")
        database.crawl(proxy.url)
        proxy.heal()

        database.now += HOUR
        database.crawl(proxy.url)

    assert database.dump() == before
