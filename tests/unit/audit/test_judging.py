"""What is judged, when, and who is told: one repository, one limit."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.court import DAY, MB, Court, grown_by, weighing
from support.database import Engine, a_database
from support.policies import a_policy
from weighbridge.domain.policy import Match

pytestmark = pytest.mark.slow


@pytest.fixture
def court(tmp_path: Path, engine: Engine) -> Iterator[Court]:
    with a_database(tmp_path, engine) as database:
        yield Court(database)


def test_a_push_over_the_limit_is_told_once(court: Court) -> None:
    court.look({"1": weighing(400)})
    court.look({"2": weighing(501)})
    court.look({"3": weighing(502)})

    (row,) = court.rows()
    assert (row.stream, row.platform, row.policy) == ("#", "linux/amd64", "services")
    assert (row.tag, row.amount, row.limit_amount) == ("3", 502 * MB, 500 * MB)
    assert row.closed_at is None
    assert court.events == ["opened"]


def test_an_image_that_keeps_the_limit_ends_it(court: Court) -> None:
    court.look({"1": weighing(400)})
    court.look({"2": weighing(501)})
    court.look({"3": weighing(400, "again")})

    (row,) = court.rows()
    assert (row.closed_at, row.closed_by) == (court.now, "pushed")
    assert court.events == ["opened", "resolved"]


def test_an_image_just_below_the_limit_does_not_end_it(court: Court) -> None:
    court.look({"1": weighing(400)})
    court.look({"2": weighing(501)})
    court.look({"3": weighing(476)})

    (row,) = court.rows()
    assert (row.closed_at, row.tag, row.amount) == (None, "3", 476 * MB)
    assert row.cause is not None


def test_another_stream_is_another_violation(court: Court) -> None:
    court.look({"1": weighing(400)})
    court.look({"2": weighing(501), "latest": weighing(502), "2-slim": weighing(90)})

    assert [row.stream for row in court.rows()] == ["#", "latest"]
    assert court.events == ["opened", "opened"]


def test_of_images_that_came_at_once_the_worst_decides(court: Court) -> None:
    court.look({"1": weighing(400)})
    court.look({"2": weighing(501), "3": weighing(300)})

    (row,) = court.rows()
    assert (row.tag, row.closed_at) == ("2", None)


def test_the_tag_that_goes_takes_its_violation_along(court: Court) -> None:
    court.look({"1": weighing(400)})
    court.look({"2": weighing(501)})
    court.look(gone=["2"])

    (row,) = court.rows()
    assert row.closed_by == "gone"
    assert court.events == ["opened", "resolved"]


def test_a_limit_that_nobody_sets_any_more_ends_what_it_began(court: Court) -> None:
    court.look({"1": weighing(400)})
    court.look({"2": weighing(501)})
    court.policies = [a_policy("services", max_compressed=900 * MB, max_layers=90)]
    court.look({"3": weighing(502)})
    kept = court.rows()
    court.policies = [a_policy("services", max_layers=90)]
    court.look({"4": weighing(503)})

    assert [row.closed_by for row in kept] == ["pushed"]
    assert len(court.rows()) == 1


def test_a_limit_of_another_policy_is_another_violation(court: Court) -> None:
    court.look({"1": weighing(400)})
    court.look({"2": weighing(501)})
    court.policies = [a_policy("teams", max_compressed=500 * MB)]
    court.look({"3": weighing(502)})

    rows = court.rows()
    assert [(row.policy, row.closed_by) for row in rows] == [
        ("services", "policy"),
        ("teams", None),
    ]


def test_only_the_newest_image_of_a_first_pass_is_judged(court: Court) -> None:
    court.look({"1": weighing(600), "2": weighing(501), "nightly": weighing(700)})

    assert [(row.tag, row.is_silent) for row in court.rows()] == [("2", False)]
    assert court.events == ["opened"]


def test_the_first_crawl_of_a_registry_tells_nobody(
    tmp_path: Path, engine: Engine
) -> None:
    with a_database(tmp_path, engine) as database:
        court = Court(database, is_listed=False)
        court.look({"1": weighing(600)}, is_complete=False)
        court.look({"2": weighing(501)})

        assert [(row.tag, row.is_silent) for row in court.rows()] == [("2", True)]
        assert court.told == []


def test_the_next_push_is_told_where_nobody_was(tmp_path: Path, engine: Engine) -> None:
    with a_database(tmp_path, engine) as database:
        court = Court(database, is_listed=False)
        court.look({"1": weighing(501)})
        court.look({"2": weighing(502)})
        court.look({"3": weighing(503)})

        (row,) = court.rows()
        assert (row.tag, row.is_silent) == ("3", False)
        assert court.events == ["opened"]


def test_a_push_is_told_of_while_its_registry_is_crawled_for_the_first_time(
    tmp_path: Path, engine: Engine
) -> None:
    with a_database(tmp_path, engine) as database:
        court = Court(database, is_listed=False)
        court.push({"2": weighing(502)})

        assert [(row.tag, row.is_silent) for row in court.rows()] == [("2", False)]
        assert court.events == ["opened"]


def test_a_tag_that_moves_before_a_first_pass_is_whole_was_pushed(
    court: Court,
) -> None:
    court.look({"1": weighing(600), "latest": weighing(400)}, is_complete=False)
    court.look({"2": weighing(601), "latest": weighing(501)}, is_complete=False)
    court.judge()

    assert [(row.tag, row.is_silent) for row in court.rows()] == [("latest", False)]
    assert court.events == ["opened"]


def test_a_crawl_by_hand_tells_nobody_and_what_comes_next_is_told(
    court: Court,
) -> None:
    court.look({"1": weighing(400)})
    court.is_by_hand = True
    court.look({"2": weighing(501)})
    court.is_by_hand = False
    before = list(court.told)
    court.look({"3": weighing(501, "again")})

    assert before == []
    assert court.events == ["opened"]


def test_what_is_never_judged_waits(court: Court) -> None:
    court.look({"1": weighing(400)})
    policies, court.policies = court.policies, []
    court.look({"2": weighing(501)})
    court.policies = policies
    court.judge()

    assert [row.tag for row in court.rows()] == ["2"]


def test_a_tag_without_a_limit_is_not_judged(court: Court) -> None:
    court.policies = [
        a_policy("services", Match(tag="release-*"), max_compressed=500 * MB)
    ]
    court.look({"1": weighing(400)})
    court.look({"dev-2": weighing(501), "release-2": weighing(502)})

    assert [row.tag for row in court.rows()] == ["release-2"]


def test_growth_is_against_the_images_before_in_the_stream(court: Court) -> None:
    court.policies = [a_policy("growth", max_growth=0.25, min_growth=50 * MB)]
    court.look({"latest": weighing(90), "1-slim": weighing(20)})
    grown_by(court, 100, 110, 105, 300)

    (row,) = court.rows()
    assert row.limit_key == "max_growth"
    assert row.baseline_compressed_bytes == 102_500_000
    assert row.limit_amount == 102_500_000 + 50 * MB
    assert (row.amount, row.before_compressed_bytes) == (300 * MB, 105 * MB)


def test_growth_needs_three_images_before(court: Court) -> None:
    court.policies = [a_policy("growth", max_growth=0.25, min_growth=50 * MB)]
    grown_by(court, 90, 100, 300)

    assert court.rows() == []


def test_nothing_of_a_first_pass_is_growth(court: Court) -> None:
    court.policies = [a_policy("growth", max_growth=0.25, min_growth=50 * MB)]
    court.look({str(n): weighing(100 + n) for n in range(9)} | {"9": weighing(400)})

    assert court.rows() == []


def test_an_uncompressed_size_is_judged_when_it_is_known(court: Court) -> None:
    court.policies = [a_policy("services", max_uncompressed=900 * MB)]
    image = weighing(300)
    court.look({"1": weighing(200)})
    court.look({"2": image})
    before = court.rows()
    court.measure(image.layers[0], 901 * MB)
    court.judge()

    (row,) = court.rows()
    assert before == []
    assert (row.limit_key, row.amount) == ("max_uncompressed", 901 * MB)
    assert court.events == ["opened"]


def test_a_size_of_a_first_crawl_that_is_known_later_is_told_to_nobody(
    tmp_path: Path, engine: Engine
) -> None:
    with a_database(tmp_path, engine) as database:
        court = Court(database, is_listed=False)
        court.policies = [a_policy("services", max_uncompressed=900 * MB)]
        image = weighing(300)
        court.look({"1": image})
        court.measure(image.layers[0], 901 * MB)
        court.judge()

        assert [row.is_silent for row in court.rows()] == [True]
        assert court.told == []


def test_a_repository_may_hold_too_much(court: Court) -> None:
    court.policies = [a_policy("room", max_deduplicated=700 * MB)]
    court.look({"1": weighing(400)})
    court.look({"2": weighing(401)})
    court.look(gone=["1"])

    (row,) = court.rows()
    assert (row.stream, row.tag, row.limit_key) == ("", None, "max_deduplicated")
    assert row.closed_by == "pushed"


def test_f39_sizes_that_sit_on_the_limit_are_told_once(court: Court) -> None:
    court.look({"0": weighing(400)})
    for number in range(100):
        court.look({"latest": weighing(500 + (1e-6 if number % 2 else -1e-6), number)})

    assert court.events == ["opened"]


def test_f39_sizes_that_come_and_go_are_told_of_twice_at_most(court: Court) -> None:
    court.look({"0": weighing(400)})
    for number in range(100):
        court.look({"latest": weighing(510 if number % 2 else 400, number)})
        court.deliver()
    court.now += DAY
    court.deliver()

    assert [event for ((_, event),) in court.messages] == ["opened", "resolved"]
    assert len(court.rows()) == 1


def test_f39_an_episode_of_another_day_is_told_again(court: Court) -> None:
    court.look({"0": weighing(400)})
    for number in range(4):
        court.look({"latest": weighing(510 if number % 2 else 400, number)})
        court.deliver()
        court.now += DAY

    events = [event for ((_, event),) in court.messages]
    assert events == ["opened", "resolved", "opened"]
    assert len(court.rows()) == 2
