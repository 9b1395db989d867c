"""F01: the registry is down, in the middle of a crawl, and comes back."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from support.docker_registry import docker_registry
from support.fault_proxy import fault_proxy
from support.faulty_crawls import NAME, CrawledDatabase, embedded, watching
from support.hasty_crawls import Hasty
from support.two_moments import TwoMoments
from support.wait import wait_in_thread
from weighbridge.bootstrap.databases import ready_database
from weighbridge.config import RegistrySettings
from weighbridge.domain.limits import ATTEMPTS
from weighbridge.engine.crawl.repository.ask_tags import SILENT_IN_A_ROW
from weighbridge.store.reports.inventory import registry_reports
from weighbridge.store.session import Database

# What a registry does wrong comes to either database by the same calls; `test_mixtures`
# has all of it on both.
pytestmark = pytest.mark.long_on("postgresql")


def test_f01_a_registry_killed_mid_crawl_costs_nothing_that_was_known(
    moments: TwoMoments, database: CrawledDatabase, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        copy = moments.a_copy_of_after(tmp_path / "registry")
        registry = stack.enter_context(copy)
        proxy = stack.enter_context(fault_proxy(registry.url))
        proxy.before(lambda: copy.__exit__(None, None, None), since=50)

        with watching(database) as watch:
            done = Hasty().crawl(database, proxy.url)

        moments.assert_nothing_removed(watch)
        assert done.complete < done.repositories
        # The catalog is asked once more, to see whether anybody is there; a kept
        # connection that was closed meanwhile is replaced, once.
        assert proxy.plan.most_attempts <= 1 + ATTEMPTS + 1

        with docker_registry(registry.folder, port=registry.port):
            database.crawl(proxy.url)
        moments.assert_caught_up(database)


def test_f01_a_registry_that_refuses_connections_is_unreachable_and_told_so(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    with fault_proxy(moments.after.url) as proxy:
        proxy.before(proxy.go_down, since=50)

        with watching(database) as watch:
            done = Hasty().crawl(database, proxy.url)

        moments.assert_nothing_removed(watch)
        assert done.state == "unreachable"
        assert state_of(database) == "unreachable"
        # Those that were under way, three times each, and in each of four repositories
        # as many as it takes to see that nobody answers. The rest is not asked.
        assert done.requests < 50 + 3 * (32 + 4 * SILENT_IN_A_ROW)

        proxy.come_up()
        database.crawl(proxy.url)
        moments.assert_caught_up(database)


def test_f01_one_that_is_down_from_the_start_is_asked_three_times(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    """And once before, what kind it is."""
    with fault_proxy(moments.after.url) as proxy:
        proxy.go_down()

        done = database.crawl(proxy.url)

    assert (done.state, done.reason) == ("unreachable", "connect_error")
    assert done.requests == 1 + 3
    assert database.records() == moments.old
    assert state_of(database) == "unreachable"


@pytest.mark.parametrize("since", [1, pytest.param(60, marks=pytest.mark.long)])
def test_f01_up_catches_up_without_a_restart(
    moments: TwoMoments, database: CrawledDatabase, since: int
) -> None:
    with (
        fault_proxy(moments.after.url) as proxy,
        ready_database(database.settings()) as opened,
    ):
        hook = proxy.before(proxy.go_down, since=since)
        have_all_due(opened)
        with embedded(opened, RegistrySettings(name=NAME, url=proxy.url)):
            wait_in_thread(lambda: hook.is_done, "it is down")
            wait_in_thread(
                lambda: state_of(database) == "unreachable",
                "that is seen",
                seen=lambda: state_of(database),
            )
            proxy.come_up()
            wait_in_thread(
                lambda: database.records() == moments.new,
                "everything is known",
            )
            wait_in_thread(lambda: state_of(database) == "ok", "and it is said")


def have_all_due(database: Database) -> None:
    """As after an hour: the last crawl ended just now."""
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE repositories SET due_at = 0")
        connection.exec_driver_sql("UPDATE jobs SET due_at = 0")


def state_of(database: CrawledDatabase) -> str:
    """What pages and metrics show of the registry."""
    with ready_database(database.settings()) as opened, opened.read() as connection:
        (report,) = registry_reports(connection)
    return report.state
