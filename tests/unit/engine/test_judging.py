"""What is judged, when, and who is told: one repository, one limit."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.court import DAY, MB, MINUTE, Court, built, grown_by, weighing
from support.database import Engine, a_database
from support.images import a_layer
from support.policies import a_policy
from weighbridge.domain.message.grouping import Route
from weighbridge.domain.policy.policy import Match
from weighbridge.store.reports.violations import read_firing

pytestmark = pytest.mark.slow


@pytest.fixture
def court(tmp_path: Path, engine: Engine) -> Iterator[Court]:
    with a_database(tmp_path, engine) as database:
        yield Court(database)


def test_a_push_over_the_limit_is_told_once(court: Court) -> None:
    court.crawl({"1": weighing(400)})
    court.crawl({"2": weighing(501)})
    court.crawl({"3": weighing(502)})

    (row,) = court.rows()
    assert (row.stream, row.platform, row.policy) == ("#", "linux/amd64", "services")
    assert (row.tag, row.amount, row.limit_amount) == ("3", 502 * MB, 500 * MB)
    assert row.closed_at is None
    assert court.events == ["opened"]


def test_an_image_that_keeps_the_limit_ends_it(court: Court) -> None:
    court.crawl({"1": weighing(400)})
    court.crawl({"2": weighing(501)})
    court.crawl({"3": weighing(400, "again")})

    (row,) = court.rows()
    assert (row.closed_at, row.closed_by) == (court.now, "pushed")
    assert court.events == ["opened", "resolved"]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_an_image_just_within_the_limit_ends_it(court: Court) -> None:
    court.crawl({"1": weighing(400)})
    court.crawl({"2": weighing(501)})
    court.crawl({"3": weighing(499)})

    (row,) = court.rows()
    assert (row.closed_at, row.closed_by) == (court.now, "pushed")
    assert (row.tag, row.amount) == ("2", 501 * MB)
    assert (row.within_tag, row.within_amount) == ("3", 499 * MB)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_the_end_is_told_of_the_image_that_is_within(court: Court) -> None:
    court.crawl({"1": weighing(400)})
    court.crawl({"2": weighing(501)})
    light = weighing(499)
    court.crawl({"3": light})

    (end,) = court.read_notices("resolved")
    assert (end.tag, end.amount, end.digest) == ("3", 499 * MB, light.digest)
    assert (end.compressed_bytes, end.closed_by) == (499 * MB, "pushed")


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_growth_that_is_just_allowed_ends_it(court: Court) -> None:
    court.policies = [a_policy("growth", max_growth=0.25, min_growth=50 * MB)]
    court.crawl({"latest": weighing(90)})
    grown_by(court, 100, 100.1, 100.2, 300, 149)

    assert [row.closed_by for row in court.rows()] == ["pushed"]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_another_stream_is_another_violation(court: Court) -> None:
    court.crawl({"1": weighing(400)})
    court.crawl({"2": weighing(501), "latest": weighing(502), "2-slim": weighing(90)})

    assert [row.stream for row in court.rows()] == ["#", "latest"]
    assert court.events == ["opened", "opened"]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_of_images_that_came_at_once_the_newest_decides(court: Court) -> None:
    court.crawl({"1": weighing(400)})
    court.crawl({"2": weighing(501), "3": weighing(300)})
    before = court.rows()
    court.crawl({"4": weighing(300, "4"), "5": weighing(501, "5")})

    assert before == []
    assert [row.tag for row in court.rows()] == ["5"]
    assert court.over() == {"2": ("max_compressed",), "5": ("max_compressed",)}


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_size_that_was_long_in_coming_opens_nothing_behind_a_newer_tag(
    court: Court,
) -> None:
    court.policies = [a_policy("services", max_uncompressed=900 * MB)]
    heavy, light = weighing(300), weighing(200)
    court.crawl({"1": weighing(100)})
    court.crawl({"2": heavy})
    court.crawl({"3": light})
    court.measure(light.layers[0], 400 * MB)
    court.measure(heavy.layers[0], 901 * MB)
    court.judge()

    assert court.rows() == []
    assert court.over() == {"2": ("max_uncompressed",)}


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_size_that_was_long_in_coming_ends_nothing_of_a_newer_tag(
    court: Court,
) -> None:
    court.policies = [a_policy("services", max_uncompressed=900 * MB)]
    light, heavy = weighing(200), weighing(300)
    court.crawl({"1": weighing(100)})
    court.crawl({"2": light})
    court.crawl({"3": heavy})
    court.measure(heavy.layers[0], 901 * MB)
    court.judge()
    court.measure(light.layers[0], 400 * MB)
    court.judge()

    assert [(row.tag, row.closed_at) for row in court.rows()] == [("3", None)]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_newest_tag_that_is_deleted_leaves_the_one_before_it_over(
    court: Court,
) -> None:
    court.crawl({"0": weighing(400)})
    court.crawl({"1": weighing(501)})
    court.crawl({"2": weighing(502)})
    court.crawl(deleted=["2"])

    (row,) = court.rows()
    assert (row.tag, row.amount, row.closed_at) == ("1", 501 * MB, None)
    assert court.events == ["opened"]


def test_the_tag_that_goes_takes_its_violation_along(court: Court) -> None:
    court.crawl({"1": weighing(400)})
    court.crawl({"2": weighing(501)})
    court.crawl(deleted=["2"])

    (row,) = court.rows()
    assert (row.closed_by, row.within_tag) == ("deleted", "1")
    assert court.events == ["opened", "resolved"]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_limit_that_nobody_sets_any_more_ends_what_it_began(court: Court) -> None:
    court.crawl({"1": weighing(400)})
    court.crawl({"2": weighing(501)})
    court.policies = [a_policy("services", max_compressed=900 * MB, max_layers=90)]
    court.crawl({"3": weighing(502)})
    kept = court.rows()
    court.policies = [a_policy("services", max_layers=90)]
    court.crawl({"4": weighing(503)})

    assert [row.closed_by for row in kept] == ["pushed"]
    assert len(court.rows()) == 1


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_limit_of_another_policy_is_another_violation(court: Court) -> None:
    court.crawl({"1": weighing(400)})
    court.crawl({"2": weighing(501)})
    court.policies = [a_policy("teams", max_compressed=500 * MB)]
    court.crawl({"3": weighing(502)})

    rows = court.rows()
    assert [(row.policy, row.closed_by) for row in rows] == [
        ("services", "policy"),
        ("teams", None),
    ]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_only_the_newest_image_of_a_first_crawl_is_judged(court: Court) -> None:
    court.crawl({"1": weighing(600), "2": weighing(501), "nightly": weighing(700)})

    assert [(row.tag, row.is_silent) for row in court.rows()] == [("2", False)]
    assert court.events == ["opened"]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_the_first_crawl_of_a_registry_tells_nobody(
    tmp_path: Path, engine: Engine
) -> None:
    with a_database(tmp_path, engine) as database:
        court = Court(database, is_listed=False)
        court.crawl({"1": weighing(600)}, is_complete=False)
        court.crawl({"2": weighing(501)})

        assert [(row.tag, row.is_silent) for row in court.rows()] == [("2", True)]
        assert court.told == []


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_the_next_push_is_told_where_nobody_was(tmp_path: Path, engine: Engine) -> None:
    with a_database(tmp_path, engine) as database:
        court = Court(database, is_listed=False)
        court.crawl({"1": weighing(501)})
        court.crawl({"2": weighing(502)})
        court.crawl({"3": weighing(503)})

        (row,) = court.rows()
        assert (row.tag, row.is_silent) == ("3", False)
        assert court.events == ["opened"]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_push_is_told_of_while_its_registry_is_crawled_for_the_first_time(
    tmp_path: Path, engine: Engine
) -> None:
    with a_database(tmp_path, engine) as database:
        court = Court(database, is_listed=False)
        court.push({"2": weighing(502)})

        assert [(row.tag, row.is_silent) for row in court.rows()] == [("2", False)]
        assert court.events == ["opened"]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_tag_that_moves_before_a_first_crawl_is_whole_was_pushed(
    court: Court,
) -> None:
    court.crawl({"1": weighing(600), "latest": weighing(400)}, is_complete=False)
    court.crawl({"2": weighing(601), "latest": weighing(501)}, is_complete=False)
    court.judge()

    assert [(row.tag, row.is_silent) for row in court.rows()] == [("latest", False)]
    assert court.events == ["opened"]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_crawl_by_hand_tells_nobody_and_what_comes_next_is_told(
    court: Court,
) -> None:
    court.crawl({"1": weighing(400)})
    court.is_by_hand = True
    court.crawl({"2": weighing(501)})
    court.is_by_hand = False
    before = list(court.told)
    court.crawl({"3": weighing(501, "again")})

    assert before == []
    assert court.events == ["opened"]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_what_is_never_judged_waits(court: Court) -> None:
    court.crawl({"1": weighing(400)})
    policies, court.policies = court.policies, []
    court.crawl({"2": weighing(501)})
    court.policies = policies
    court.judge()

    assert [row.tag for row in court.rows()] == ["2"]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_tag_without_a_limit_is_not_judged(court: Court) -> None:
    court.policies = [
        a_policy("services", Match(tag="release-*"), max_compressed=500 * MB)
    ]
    court.crawl({"1": weighing(400)})
    court.crawl({"dev-2": weighing(501), "release-2": weighing(502)})

    assert [row.tag for row in court.rows()] == ["release-2"]


def test_growth_is_against_the_images_before_in_the_stream(court: Court) -> None:
    court.policies = [a_policy("growth", max_growth=0.25, min_growth=50 * MB)]
    court.crawl({"latest": weighing(90), "1-slim": weighing(20)})
    grown_by(court, 100, 110, 105, 300)

    (row,) = court.rows()
    assert row.limit_key == "max_growth"
    assert row.baseline_compressed_bytes == 102_500_000
    assert row.limit_amount == 102_500_000 + 50 * MB
    assert (row.amount, row.before_compressed_bytes) == (300 * MB, 105 * MB)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_growth_needs_three_images_before(court: Court) -> None:
    court.policies = [a_policy("growth", max_growth=0.25, min_growth=50 * MB)]
    grown_by(court, 90, 100, 300)

    assert court.rows() == []


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_nothing_of_a_first_crawl_is_growth(court: Court) -> None:
    court.policies = [a_policy("growth", max_growth=0.25, min_growth=50 * MB)]
    court.crawl({str(n): weighing(100 + n) for n in range(9)} | {"9": weighing(400)})

    assert court.rows() == []


def test_an_uncompressed_size_is_judged_when_it_is_known(court: Court) -> None:
    court.policies = [a_policy("services", max_uncompressed=900 * MB)]
    image = weighing(300)
    court.crawl({"1": weighing(200)})
    court.crawl({"2": image})
    before = court.rows()
    court.measure(image.layers[0], 901 * MB)
    court.judge()

    (row,) = court.rows()
    assert before == []
    assert (row.limit_key, row.amount) == ("max_uncompressed", 901 * MB)
    assert court.events == ["opened"]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_size_of_a_first_crawl_that_is_known_later_is_told_to_nobody(
    tmp_path: Path, engine: Engine
) -> None:
    with a_database(tmp_path, engine) as database:
        court = Court(database, is_listed=False)
        court.policies = [a_policy("services", max_uncompressed=900 * MB)]
        image = weighing(300)
        court.crawl({"1": image})
        court.measure(image.layers[0], 901 * MB)
        court.judge()

        assert [row.is_silent for row in court.rows()] == [True]
        assert court.told == []


def test_a_repository_may_hold_too_much(court: Court) -> None:
    court.policies = [a_policy("room", max_deduplicated=700 * MB)]
    court.crawl({"1": weighing(400)})
    court.crawl({"2": weighing(401)})
    court.crawl(deleted=["1"])

    (row,) = court.rows()
    assert (row.stream, row.tag, row.limit_key) == ("", None, "max_deduplicated")
    assert row.closed_by == "pushed"


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_what_a_push_added_is_why_a_repository_holds_too_much(court: Court) -> None:
    court.policies = [a_policy("room", max_deduplicated=700 * MB)]
    base = ("FROM debian", a_layer("debian", 600 * MB))
    court.crawl({"1": built(base, ("COPY a", a_layer("a", MB)))})
    court.crawl({"2": built(base, ("COPY b", a_layer("b", 200 * MB)))})

    cause = court.cause()
    assert cause.quantity == "deduplicated_bytes"
    assert [(c.instruction, c.grown_amount) for c in cause.changes] == [
        ("COPY b", 200 * MB)
    ]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_an_image_is_not_blamed_for_a_line_that_only_earlier_ones_had(
    court: Court,
) -> None:
    base = ("FROM debian", a_layer("debian", 300 * MB))
    torch = ("RUN pip install torch", a_layer("torch", 250 * MB))
    model = ("COPY model", a_layer("model", 400 * MB))
    court.crawl({"1": built(base)})
    court.crawl({"2": built(base, torch)})
    court.crawl({"3": built(base, torch, ("COPY app", a_layer("app", MB)))})
    (row,) = court.rows()
    kept = court.cause()
    assert kept.heaviest is not None
    assert (row.tag, kept.heaviest.instruction) == ("3", "RUN pip install torch")

    court.crawl({"4": built(base, model)})

    (row,) = court.rows()
    assert (row.tag, row.amount) == ("4", 700 * MB)
    assert row.before_compressed_bytes == 300 * MB
    assert [(c.instruction, c.grown_amount) for c in court.cause().changes] == [
        ("COPY model", 400 * MB)
    ]
    assert court.events == ["opened"]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_f39_sizes_that_sit_on_the_limit_are_told_once(court: Court) -> None:
    court.crawl({"0": weighing(400)})
    for number in range(100):
        court.crawl({"latest": weighing(500 + (1e-6 if number % 2 else -1e-6), number)})
        court.deliver()
    court.deliver_until(court.now + DAY)

    assert [event for ((_, event),) in court.messages] == ["opened", "resolved"]
    assert len(court.rows()) == 1


def test_what_begins_again_within_a_day_is_told_of_only_if_it_is_heavier(
    court: Court,
) -> None:
    court.crawl({"0": weighing(400)})
    events = []
    for number, size in enumerate((510, 400, 509, 400, 510, 400, 511, 400)):
        court.crawl({"latest": weighing(size, number)})
        court.deliver_until(court.now + 10 * MINUTE)
        events.append(len(court.messages))

    assert court.events == ["opened", "resolved", "opened", "resolved"]
    assert events == [1, 2, 2, 2, 2, 2, 3, 4]
    assert [row.notified_amount for row in court.rows()] == [510 * MB, 511 * MB]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_what_began_again_without_a_word_is_told_of_once_it_is_heavier(
    court: Court,
) -> None:
    court.crawl({"0": weighing(400)})
    for number, size in enumerate((510, 400)):
        court.crawl({"latest": weighing(size, number)})
        court.deliver()
    court.deliver_until(court.now + 10 * MINUTE)
    court.crawl({"latest": weighing(505)})
    before = list(court.events)
    court.crawl({"latest": weighing(600)})

    assert before == ["opened", "resolved"]
    assert court.events == ["opened", "resolved", "opened"]
    assert [row.closed_at is None for row in court.rows()] == [False, True]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_an_end_that_is_not_sent_yet_is_never_told_of_an_image_that_is_over(
    court: Court,
) -> None:
    court.crawl({"0": weighing(400)})
    for number, size in enumerate((510, 400, 505, 600)):
        court.crawl({"latest": weighing(size, number)})
        court.deliver()
    court.deliver_until(court.now + DAY)

    assert [event for ((_, event),) in court.messages] == ["opened"]
    assert [row.closed_at for row in court.rows()] == [None]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_what_was_over_before_a_word_was_sent_is_told_of_when_it_begins_again(
    court: Court,
) -> None:
    court.routes = [Route("hook", group_wait_s=3_600)]
    court.crawl({"0": weighing(400)})
    for number, size in enumerate((510, 400, 505)):
        court.crawl({"latest": weighing(size, number)})
    court.deliver_until(court.now + DAY)

    assert [event for ((_, event),) in court.messages] == ["opened"]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_an_alertmanager_is_sent_what_is_open_though_nobody_else_is_told(
    court: Court,
) -> None:
    court.crawl({"0": weighing(400)})
    for number, size in enumerate((510, 400, 505)):
        court.crawl({"latest": weighing(size, number)})
        court.deliver()
    court.now += 3 * DAY

    with court.database.read() as connection:
        (firing,) = read_firing(connection, court.now, 10)

    assert court.events == ["opened", "resolved"]
    assert (firing.event, firing.amount) == ("opened", 505 * MB)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_f39_sizes_that_come_and_go_are_told_of_twice_at_most(court: Court) -> None:
    court.crawl({"0": weighing(400)})
    for number in range(100):
        court.crawl({"latest": weighing(510 if number % 2 else 400, number)})
        court.deliver()
    court.now += DAY
    court.deliver()

    assert [event for ((_, event),) in court.messages] == ["opened", "resolved"]
    assert len(court.rows()) == 1


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_f39_an_episode_of_another_day_is_told_again(court: Court) -> None:
    court.crawl({"0": weighing(400)})
    for number in range(4):
        court.crawl({"latest": weighing(510 if number % 2 else 400, number)})
        court.deliver()
        court.now += DAY

    events = [event for ((_, event),) in court.messages]
    assert events == ["opened", "resolved", "opened"]
    assert len(court.rows()) == 2
