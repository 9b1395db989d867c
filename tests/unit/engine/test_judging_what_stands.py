"""Policies change, and images do not: what is over a limit then, and who is told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.court import MB, Court, weighing
from support.database import Engine, a_database
from support.policies import a_policy
from weighbridge.domain.message.grouping import Route, RouteMatch
from weighbridge.domain.policy.policy import Policy

# No statement of its own: tests of the store run on both.
pytestmark = pytest.mark.long_on("postgresql")


@pytest.fixture
def court(tmp_path: Path, engine: Engine) -> Iterator[Court]:
    with a_database(tmp_path, engine) as database:
        yield Court(database)


def a_limit(megabytes: int, name: str = "services") -> Policy:
    return a_policy(name, max_compressed=megabytes * MB)


def test_what_a_lower_limit_finds_is_listed_and_the_next_push_is_told(
    court: Court,
) -> None:
    court.crawl({"latest": weighing(400)})
    court.crawl({"latest": weighing(401)})
    court.policies = [a_limit(300)]
    court.judge_what_stands()
    listed = [(row.tag, row.amount, row.is_silent) for row in court.rows()]
    before = list(court.told)
    court.crawl({"latest": weighing(402)})

    assert listed == [("latest", 401 * MB, True)]
    assert before == []
    assert court.events == ["opened"]


def test_a_higher_limit_ends_what_keeps_it(court: Court) -> None:
    court.crawl({"latest": weighing(400)})
    court.crawl({"latest": weighing(501)})
    court.policies = [a_limit(900)]
    court.judge_what_stands()

    (row,) = court.rows()
    assert (row.closed_by, row.closed_at) == ("policy", court.now)
    assert court.events == ["opened", "resolved"]


def test_a_higher_limit_that_is_not_kept_either_changes_the_violation(
    court: Court,
) -> None:
    court.crawl({"latest": weighing(400)})
    court.crawl({"latest": weighing(600)})
    court.policies = [a_limit(550)]
    court.judge_what_stands()

    (row,) = court.rows()
    assert (row.closed_by, row.limit_amount, row.is_silent) == (None, 550 * MB, False)
    assert court.events == ["opened"]


def test_a_limit_that_is_gone_ends_the_violation_of_a_quiet_repository(
    court: Court,
) -> None:
    court.crawl({"latest": weighing(400)})
    court.crawl({"latest": weighing(501)})
    court.policies = [a_policy("services", max_layers=90)]
    court.judge_what_stands()

    assert [row.closed_by for row in court.rows()] == ["policy"]
    assert court.events == ["opened", "resolved"]


def test_a_policy_of_another_name_goes_on_with_what_is_over(court: Court) -> None:
    court.crawl({"old": weighing(501)})
    court.crawl({"latest": weighing(400)})
    court.policies = [a_limit(500, "teams")]
    court.judge_what_stands()

    rows = [(row.policy, row.tag, row.closed_by) for row in court.rows()]
    assert rows == [("services", "old", "policy"), ("teams", "old", None)]


def test_a_repository_that_holds_too_much_by_now_is_listed(court: Court) -> None:
    court.crawl({"1": weighing(400)})
    court.crawl({"2": weighing(400, "other")})
    court.policies = [a_policy("room", max_deduplicated=700 * MB)]
    court.judge_what_stands()

    assert [(row.limit_key, row.is_silent) for row in court.rows()] == [
        ("max_deduplicated", True)
    ]
    assert court.told == []


def test_growth_of_what_stands_is_nobodys_push(court: Court) -> None:
    court.crawl({"1": weighing(100)})
    for number, size in enumerate((100, 101, 102, 300)):
        court.crawl({"latest": weighing(size, number)})
    court.policies = [a_policy("growth", max_growth=0.25, max_compressed=200 * MB)]
    court.judge_what_stands()

    assert [row.limit_key for row in court.rows()] == ["max_compressed"]


def test_what_was_judged_as_it_stands_is_not_judged_again(court: Court) -> None:
    court.crawl({"latest": weighing(400)})
    court.crawl({"latest": weighing(501)})
    unchanged = court.judge_what_stands()
    court.policies = [a_limit(300)]
    counts = [court.judge_what_stands() for _ in range(2)]

    assert (unchanged, counts) == (0, [1, 0])


def test_what_a_first_crawl_has_not_seen_whole_is_left_to_it(court: Court) -> None:
    court.crawl({"latest": weighing(501)}, is_complete=False)

    assert court.judge_what_stands() == 0


def test_who_a_violation_passes_on_to_is_told(court: Court) -> None:
    critical = RouteMatch(severities=("critical",))
    court.routes = [Route("pager", critical), Route("hook")]
    court.crawl({"latest": weighing(400)})
    court.crawl({"latest": weighing(501)})
    court.policies = [
        a_policy("services", max_compressed=500 * MB, severity="critical")
    ]
    court.crawl({"latest": weighing(502)})
    court.crawl({"latest": weighing(503)})

    assert court.channels_told == ["hook", "pager"]
    assert [row.severity for row in court.rows()] == ["critical"]
