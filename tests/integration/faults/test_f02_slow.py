"""F02: a registry that is slow, or gives a byte a second."""

import pytest

from support.fault_proxy import fault_proxy
from support.faults import Delay, Drip
from support.faulty_crawls import CrawledDatabase, embedded, watching
from support.hasty_crawls import Hasty, timed
from support.two_moments import TwoMoments
from support.wait import PATIENCE_S, wait_in_thread
from weighbridge.bootstrap.databases import ready_database
from weighbridge.config import RegistrySettings
from weighbridge.registry.pacing.rate_limiter import Clock
from weighbridge.store.reports.inventory import registry_reports

pytestmark = pytest.mark.only_on("sqlite")  # what is kept is not the matter

DEADLINE_S = 0.5


def test_f02_a_dripping_registry_holds_no_other_up(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    slow, healthy = fault_proxy(moments.after.url), fault_proxy(moments.after.url)
    with slow as dripping, healthy as quick:
        dripping.spoil(Drip())
        with ready_database(database.settings()) as opened:
            registries = (
                RegistrySettings(name="dripping", url=dripping.url),
                RegistrySettings(name="quick", url=quick.url),
            )
            with embedded(opened, *registries):
                wait_in_thread(lambda: dripping.plan.requests > 0, "it is asked")
                wait_in_thread(
                    lambda: states(database).get("quick") == "ok",
                    "the other is crawled",
                    seen=lambda: states(database),
                )
                assert states(database)["dripping"] == "new"
                assert dripping.most_open <= 32


def states(database: CrawledDatabase) -> dict[str, str]:
    with ready_database(database.settings()) as opened, opened.read() as connection:
        return {report.name: report.state for report in registry_reports(connection)}


@pytest.mark.parametrize("kind", ["catalog", "tags", "blob"])
def test_f02_a_request_that_drips_ends_at_its_deadline(
    moments: TwoMoments, database: CrawledDatabase, kind: str
) -> None:
    with fault_proxy(moments.after.url) as proxy:
        proxy.spoil(Drip(every_s=0.2), target=f"/{TARGETS[kind]}")

        with watching(database) as watch:
            done, seconds = timed(lambda: Hasty(DEADLINE_S).crawl(database, proxy.url))

        moments.assert_unharmed(watch)
        assert done.faults
        assert seconds < PATIENCE_S
        proxy.heal()
        database.crawl(proxy.url)
    moments.assert_caught_up(database)


TARGETS = {"catalog": "_catalog", "tags": "tags/list", "blob": "blobs/"}


def test_f02_a_registry_whose_manifests_drip_is_not_asked_for_each_of_them(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    with fault_proxy(moments.after.url) as proxy:
        proxy.spoil(Drip(every_s=0.2), kind="manifest")

        with watching(database) as watch:
            hasty = Hasty(DEADLINE_S, Clock())
            _, seconds = timed(lambda: hasty.crawl(database, proxy.url))

        moments.assert_nothing_removed(watch)
        assert seconds < PATIENCE_S
        # 120 tags of 60 s each would be hours, where one slot is left.
        assert proxy.plan.asked["manifest"] < 100
        proxy.heal()
        database.crawl(proxy.url)
    moments.assert_caught_up(database)


def test_f02_latency_alone_changes_nothing(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    with fault_proxy(moments.after.url) as proxy:
        proxy.spoil(Delay(0.2))

        done = database.crawl(proxy.url)

    assert done.faults == ()
    moments.assert_caught_up(database)
