"""F10: the second page of a tag list fails."""

import pytest

from support.fault_proxy import fault_proxy
from support.faults import Fault, Reset, error, pages_of, status
from support.faulty_crawls import CrawledDatabase, watching
from support.hasty_crawls import Hasty
from support.two_moments import TwoMoments

# What a registry does wrong comes to either database by the same calls; `test_mixtures`
# has all of it on both.
pytestmark = pytest.mark.long_on("postgresql")

FAULTS: dict[str, Fault] = {
    "500": status(500),
    "404": error(404, "NAME_UNKNOWN"),
    "403": error(403, "DENIED"),
    "reset": Reset("body"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_f10_tags_of_the_first_page_are_updated_and_no_others(
    moments: TwoMoments, database: CrawledDatabase, fault: Fault
) -> None:
    with fault_proxy(moments.after.url) as proxy:
        proxy.spoil(fault, kind="tags", target="last=")
        proxy.spoil(pages_of(10), kind="tags")

        with watching(database) as watch:
            done = Hasty().crawl(database, proxy.url)

        assert (done.complete, done.partial) == (0, 4)
        records = database.records()
        # In the order of their names the first page ends at v17.
        assert records["shop/app:v0"] == moments.new["shop/app:v0"]
        assert records["shop/app:v2"] == moments.old["shop/app:v2"]
        found = database.repository("shop/app")
        assert found is not None
        assert (found.state, found.tags) == ("partial", 30)
        moments.assert_nothing_removed(watch)
        proxy.heal()
        database.crawl(proxy.url)
    moments.assert_caught_up(database)


def test_f10_pages_that_all_come_are_a_whole_listing(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    with fault_proxy(moments.after.url) as proxy:
        proxy.spoil(pages_of(10), kind="tags")

        done = database.crawl(proxy.url)

    assert done.complete == 4
    assert proxy.plan.asked["tags"] == 4 * 3
    moments.assert_caught_up(database)
