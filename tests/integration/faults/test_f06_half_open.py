"""F06: a registry that takes connections and never answers."""

import os
import signal
from pathlib import Path

import pytest

from support.fault_proxy import fault_proxy
from support.faults import Silence
from support.faulty_crawls import CrawledDatabase, watching
from support.hasty_crawls import Hasty, timed
from support.two_moments import TwoMoments

pytestmark = pytest.mark.only_on("sqlite")  # what is kept is not the matter

DEADLINE_S = 0.5


def test_f06_a_registry_that_is_frozen_mid_crawl_costs_a_deadline(
    moments: TwoMoments, database: CrawledDatabase, tmp_path: Path
) -> None:
    with (
        moments.a_copy_of_after(tmp_path / "registry") as registry,
        fault_proxy(registry.url) as proxy,
    ):
        proxy.before(lambda: os.kill(registry.pid, signal.SIGSTOP), since=60)
        try:
            with watching(database) as watch:
                _, seconds = timed(lambda: Hasty(DEADLINE_S).crawl(database, proxy.url))
        finally:
            os.kill(registry.pid, signal.SIGCONT)

        moments.assert_nothing_removed(watch)
        # A deadline for each of the hundred requests that are left would be longer.
        assert seconds < 30
        database.crawl(proxy.url)
    moments.assert_caught_up(database)


def test_f06_a_registry_that_never_answers_is_asked_once(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    with fault_proxy(moments.after.url) as proxy:
        proxy.spoil(Silence())

        done = Hasty(DEADLINE_S).crawl(database, proxy.url)

    assert (done.state, done.reason) == ("unreachable", "deadline")
    assert done.requests == 1
    assert database.records() == moments.old
