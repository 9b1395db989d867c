"""F07: bytes that are not what they were asked by."""

from collections.abc import Mapping

import pytest

from support.fault_proxy import fault_proxy
from support.faults import error, flipped_byte
from support.faulty_crawls import CrawledDatabase, Record, watching
from support.two_moments import TwoMoments

# What a registry does wrong comes to either database by the same calls; `test_mixtures`
# has all of it on both.
pytestmark = pytest.mark.long_on("postgresql")

COUNTER = "weighbridge_integrity_errors_total"


def live(records: Mapping[str, Record]) -> dict[str, Record]:
    return {tag: record for tag, record in records.items() if record is not None}


def test_f07_a_flipped_byte_in_each_manifest_changes_no_row(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    with fault_proxy(moments.after.url) as proxy:
        flips = proxy.spoil(flipped_byte(), kind="manifest", method="GET")

        with watching(database) as watch:
            done = database.crawl(proxy.url)

        moments.assert_unharmed(watch)
        # No tag has moved and none has come; those that are not listed are gone.
        left = {tag for tag, record in moments.new.items() if record}
        assert live(database.records()) == {
            tag: record for tag, record in moments.old.items() if tag in left
        }
        assert "digest_mismatch" in {fault.code for fault in done.faults}
        assert database.counted(COUNTER) == flips.hits > 0
        assert proxy.plan.most_attempts <= 2
        proxy.heal()
        database.crawl(proxy.url)
    moments.assert_caught_up(database)


def test_f07_one_flip_is_counted_asked_again_and_forgotten(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    with fault_proxy(moments.after.url) as proxy:
        flips = proxy.spoil(
            flipped_byte(), target="manifests/sha256:", method="GET", attempts=1
        )

        done = database.crawl(proxy.url)

    assert done.faults == ()
    assert database.counted(COUNTER) == flips.hits > 0
    moments.assert_caught_up(database)


def test_f07_a_flipped_byte_in_each_config_leaves_no_trace(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    with fault_proxy(moments.after.url) as proxy:
        proxy.spoil(flipped_byte(), kind="blob")

        with watching(database) as watch:
            database.crawl(proxy.url)

        assert database.counted(COUNTER) > 0
        moments.assert_unharmed(watch)
        proxy.heal()
        database.crawl(proxy.url)
    moments.assert_caught_up(database)


def test_f07_a_config_that_is_missing_for_a_moment_is_asked_for_again(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    # A registry that is asked too much has been seen to answer 404.
    with fault_proxy(moments.after.url) as proxy:
        proxy.spoil(error(404, "BLOB_UNKNOWN"), kind="blob")
        database.crawl(proxy.url)
        proxy.heal()

        database.crawl(proxy.url)

    moments.assert_caught_up(database)
