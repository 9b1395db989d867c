"""F04: a registry that answers with 5xx at random."""

import pytest

from support.fault_proxy import fault_proxy
from support.faults import page_for_people, status
from support.faulty_crawls import CrawledDatabase, watching
from support.hasty_crawls import Hasty
from support.two_moments import TwoMoments

# What a registry does wrong comes to either database by the same calls; `test_mixtures`
# has all of it on both.
pytestmark = pytest.mark.long_on("postgresql")


def test_f04_a_third_of_5xx_loses_and_invents_nothing(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    with fault_proxy(moments.after.url, seed=1) as proxy:
        for number in (500, 502, 504):
            proxy.spoil(status(number), chance=0.1, attempts=4)
        proxy.spoil(page_for_people(503), chance=0.05, attempts=4)

        with watching(database) as watch:
            done = Hasty().crawl(database, proxy.url)

    assert proxy.plan.spoilt["Instead"] > 30
    assert done.faults == ()
    moments.assert_unharmed(watch)
    moments.assert_caught_up(database)


def test_f04_requests_that_never_get_through_keep_their_tags_as_they_were(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    with fault_proxy(moments.after.url) as proxy:
        proxy.spoil(status(500), target=r"shop/app/manifests/v[0-2]$")
        # A HEAD brings the digest of what is asked for then.
        proxy.spoil(status(502), target="team/tool/manifests/sha256:")

        with watching(database) as watch:
            done = Hasty().crawl(database, proxy.url)

        assert done.partial == 2
        records = database.records()
        for tag in ("shop/app:v0", "shop/app:v25", "team/tool:v0", "team/tool:v25"):
            assert records[tag] == moments.old[tag]
        moments.assert_unharmed(watch)
        proxy.heal()
        database.crawl(proxy.url)
    moments.assert_caught_up(database)
