"""F03: 429, with every form of Retry-After."""

from itertools import count

import pytest

from support.fake_clock import FakeClock
from support.fault_proxy import fault_proxy
from support.faults import Answer, Asked, Instead, RetryAfter, too_many_requests
from support.faulty_crawls import CrawledDatabase, watching
from support.hasty_crawls import Hasty
from support.two_moments import TwoMoments
from weighbridge.domain.limits import RETRY_AFTER_MAX_S

pytestmark = pytest.mark.only_on("sqlite")  # what is kept is not the matter


def test_f03_every_fourth_request_refused_costs_a_third_more_requests(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    clock = FakeClock()
    forms: tuple[RetryAfter, ...] = ("seconds", "date", "unix")
    answers = [too_many_requests(form, 5, clock.clock.now).answer for form in forms]
    number = count()

    def refused(asked: Asked) -> Answer:
        return answers[next(number) % len(answers)](asked)

    with fault_proxy(moments.after.url) as proxy:
        proxy.spoil(Instead(refused), every=4)

        with watching(database) as watch:
            done = Hasty(clock=clock.clock).crawl(database, proxy.url)

        answered = proxy.plan.requests - proxy.plan.spoilt["Instead"]
        assert proxy.plan.requests <= answered * 1.4
    assert done.faults == ()
    assert 5 <= max(clock.sleeps) < 6
    moments.assert_unharmed(watch)
    moments.assert_caught_up(database)


@pytest.mark.parametrize("form", ["seconds", "date", "unix"])
def test_f03_one_refusal_makes_all_wait_and_loses_nothing(
    moments: TwoMoments, database: CrawledDatabase, form: RetryAfter
) -> None:
    with fault_proxy(moments.after.url) as proxy:
        proxy.spoil(too_many_requests(form), since=60, times=1)

        done = database.crawl(proxy.url)

    assert done.faults == ()
    moments.assert_caught_up(database)


def test_f03_an_absurd_wait_is_no_sleep_and_the_next_crawl_goes_on(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    clock = FakeClock()
    with fault_proxy(moments.after.url) as proxy:
        proxy.spoil(too_many_requests("absurd"), since=60)

        with watching(database) as watch:
            done = Hasty(clock=clock.clock).crawl(database, proxy.url)

        assert "rate_limited" in {fault.code for fault in done.faults}
        assert max(clock.sleeps, default=0.0) < RETRY_AFTER_MAX_S
        # Those that were under way; nobody asks after them.
        assert proxy.plan.requests < 60 + 2 * 32
        moments.assert_nothing_removed(watch)
        proxy.heal()
        database.crawl(proxy.url)
    moments.assert_caught_up(database)
