"""F05: answers that are cut short, connections that are reset, answers too many."""

import pytest

from support.fault_proxy import fault_proxy
from support.faults import Answer, Cut, Reset, Stray, Where
from support.faulty_crawls import CrawledDatabase, watching
from support.hasty_crawls import Hasty
from support.images_oci import OCI_MANIFEST, made_image
from support.two_moments import TwoMoments

pytestmark = pytest.mark.only_on("sqlite")  # what is kept is not the matter


@pytest.mark.parametrize(("seed", "is_reset"), [(1, False), (2, True)])
def test_f05_an_answer_cut_anywhere_is_asked_again_and_no_half_is_stored(
    moments: TwoMoments, database: CrawledDatabase, seed: int, is_reset: bool
) -> None:
    with fault_proxy(moments.after.url, seed=seed) as proxy:
        proxy.spoil(Cut(is_reset=is_reset), chance=0.4, attempts=4)

        with watching(database) as watch:
            done = Hasty().crawl(database, proxy.url)

    assert proxy.plan.spoilt["Cut"] > 50
    assert done.faults == ()
    moments.assert_unharmed(watch)
    moments.assert_caught_up(database)


@pytest.mark.parametrize("where", ["before", "headers", "body"])
def test_f05_a_reset_costs_one_more_request(
    moments: TwoMoments, database: CrawledDatabase, where: Where
) -> None:
    with fault_proxy(moments.after.url) as proxy:
        resets = proxy.spoil(Reset(where), chance=0.2, attempts=1)

        with watching(database) as watch:
            done = database.crawl(proxy.url)

    assert resets.hits > 20
    assert proxy.plan.most_attempts == 2
    assert done.faults == ()
    moments.assert_unharmed(watch)
    moments.assert_caught_up(database)


def test_f05_what_is_cut_for_ever_stays_as_it_was(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    with fault_proxy(moments.after.url) as proxy:
        proxy.spoil(Reset("body"), kind="manifest", method="GET")

        with watching(database) as watch:
            Hasty().crawl(database, proxy.url)

        assert moments.old.items() <= database.records().items()
        moments.assert_nothing_removed(watch)
        proxy.heal()
        database.crawl(proxy.url)
    moments.assert_caught_up(database)


def test_f05_a_second_answer_is_never_taken_for_the_next_one(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    forged = Answer(
        200, (("Content-Type", OCI_MANIFEST),), made_image(label="forged").manifest
    )
    with fault_proxy(moments.after.url) as proxy:
        proxy.spoil(Stray(forged), chance=0.1)
        proxy.spoil(Stray(forged, after_s=0.002), chance=0.1)

        with watching(database) as watch:
            done = database.crawl(proxy.url)

    assert proxy.plan.spoilt["Stray"] > 20
    assert done.faults == ()
    assert database.counted("weighbridge_registry_desync_total") > 0
    moments.assert_unharmed(watch)
    moments.assert_caught_up(database)
