"""Tags that stand over their limit, the newest or not: marked, counted, listed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.court import DAY, MB, Court, built, weighing
from support.database import Engine, a_database
from support.images import a_layer, an_index_of
from support.policies import a_policy
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.policy.policy import Match
from weighbridge.domain.report.violation import ViolationReport
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.models import repository_summaries
from weighbridge.store.read_model.summaries import refresh_summary
from weighbridge.store.reports.repositories import find_repository
from weighbridge.store.reports.violations import ViolationQuery, violation_page
from weighbridge.store.tags.judged_tags import count_over_tags

# No statement of its own: tests of the store run on both.
pytestmark = [pytest.mark.slow, pytest.mark.long_on("postgresql")]

ARM = Platform("linux", "arm64")
COMPRESSED = ("max_compressed",)


@pytest.fixture
def court(tmp_path: Path, engine: Engine) -> Iterator[Court]:
    with a_database(tmp_path, engine) as database:
        yield Court(database)


def all_tags(court: Court, **wanted: object) -> list[ViolationReport]:
    """Page by page, two rows each."""
    found: list[ViolationReport] = []
    cursor = None
    while True:
        query = ViolationQuery(all_tags=True, limit=2, cursor=cursor, **wanted)  # type: ignore[arg-type]  # the query's own
        with court.database.read() as connection:
            page = violation_page(connection, query, court.now)
        found += page.items
        if (cursor := page.next_cursor) is None:
            return found


def test_a_heavy_tag_that_a_lighter_one_follows_stays_marked(court: Court) -> None:
    court.crawl({"1.0.0": weighing(400)})
    court.crawl({"1.1.0": weighing(501)})
    opened = court.over()
    court.crawl({"1.2.0": weighing(400, "light")})

    assert opened == court.over() == {"1.1.0": COMPRESSED}
    assert [row.closed_by for row in court.rows()] == ["pushed"]
    (listed,) = all_tags(court)
    assert (listed.state, listed.tag, listed.amount) == ("over", "1.1.0", 501 * MB)
    assert (listed.id, listed.opened_at) == (None, None)
    assert court.events == ["opened", "resolved"]


def test_violations_are_listed_once_and_other_tags_behind_them(court: Court) -> None:
    court.crawl({"1.0.0": weighing(400)})
    for number in range(1, 6):
        court.crawl({f"1.{number}.0": weighing(500 + number)})

    rows = [(row.state, row.tag) for row in all_tags(court)]

    assert rows[0] == ("open", "1.5.0")
    assert sorted(rows[1:]) == [("over", f"1.{n}.0") for n in range(1, 5)]
    assert all_tags(court, team="nobody-we-know") == []
    assert len(court.over()) == 5


def test_a_tag_that_is_moved_or_deleted_loses_its_mark(court: Court) -> None:
    court.crawl({"0": weighing(400)})
    court.crawl({"a": weighing(501), "b": weighing(502), "c": weighing(503)})
    court.crawl({"a": weighing(300)}, deleted=["b"])

    assert court.over() == {"c": COMPRESSED}


def test_what_was_there_before_us_is_marked_when_its_crawl_ends(court: Court) -> None:
    court.crawl({"1": weighing(600), "2": weighing(501), "nightly": weighing(400)})
    court.judge_what_stands()

    assert court.over() == {"1": COMPRESSED, "2": COMPRESSED}


def test_a_limit_that_is_changed_changes_the_marks_of_all_tags(court: Court) -> None:
    court.crawl({"0": weighing(100)})
    court.crawl({"1": weighing(300), "2": weighing(501), "3": weighing(200)})
    before = court.over()
    court.policies = [a_policy("services", max_compressed=250 * MB)]
    court.judge_what_stands()
    lower = court.over()
    court.policies = [a_policy("services", max_growth=0.25)]
    court.judge_what_stands()

    assert before == {"2": COMPRESSED}
    assert lower == {"1": COMPRESSED, "2": COMPRESSED}
    assert court.over() == {}


def test_a_limit_is_that_of_the_tags_own_policy(court: Court) -> None:
    court.policies = [
        a_policy("big", Match(tag="*-big"), max_compressed=None),
        a_policy("services", max_compressed=500 * MB),
    ]
    court.crawl({"0": weighing(100), "1-big": weighing(600), "1": weighing(601)})
    court.judge_what_stands()

    assert court.over() == {"1": COMPRESSED}


def test_a_size_that_is_known_later_is_marked_when_it_is(court: Court) -> None:
    court.policies = [a_policy("services", max_uncompressed=900 * MB)]
    image = weighing(300)
    court.crawl({"1": image, "2": weighing(200)})
    court.judge_what_stands()
    before = court.over()
    court.measure(image.layers[0], 901 * MB)
    court.judge_what_stands()

    assert before == {}
    assert court.over() == {"1": ("max_uncompressed",)}


def test_layers_and_the_largest_of_them_are_marked_too(court: Court) -> None:
    court.policies = [a_policy("s", max_layers=2, max_layer_compressed=50 * MB)]
    small = [(f"RUN {n}", a_layer(n, MB)) for n in range(3)]
    court.crawl({"0": weighing(1)})
    court.crawl({"many": built(*small), "big": weighing(60)})

    assert court.over() == {"big": ("max_layer_compressed",), "many": ("max_layers",)}


def test_a_tag_is_over_where_one_of_its_platforms_is(court: Court) -> None:
    court.platforms = (DEFAULT, ARM)
    arm, amd = weighing(501, "arm", platform=ARM), weighing(100)
    court.crawl({"0": weighing(1)})
    court.crawl({"1": an_index_of(arm, amd)}, children=[arm, amd])

    assert court.over() == {"1": COMPRESSED}


def test_nobody_is_told_of_a_tag_that_is_only_marked(court: Court) -> None:
    court.crawl({"1": weighing(600), "2": weighing(300)})
    court.judge_what_stands()
    court.deliver_until(court.now + DAY)

    assert court.over() == {"1": COMPRESSED}
    assert (court.told, court.messages) == ([], [])


def test_more_tags_than_a_page_are_swept(court: Court) -> None:
    heavy = weighing(501)
    court.crawl({f"t{n}": heavy for n in range(1_100)})
    court.judge_what_stands()

    with court.database.read() as connection:
        report = find_repository(connection, "hub", "acme/app")
        assert report is not None
        assert report.over_tags == 1_100
        assert count_over_tags(connection, court.ids["acme/app"]) == 1_100


def test_a_count_that_is_wrong_is_found_and_put_right(court: Court) -> None:
    court.crawl({"0": weighing(100)})
    court.crawl({"1": weighing(501)})
    with court.database.write() as connection:
        connection.execute(repository_summaries.update().values(over_tags=7))

    found = list(
        verify(court.database, {"hub": (DEFAULT,)}, court.now, lambda *_: None)
    )
    with court.database.write() as connection:
        number = court.ids["acme/app"]
        refresh_summary(connection, number, court.now, (DEFAULT,))

    assert [(d.what, d.stored, d.recounted) for d in found] == [("over_tags", 7, 1)]
    assert court.over() == {"1": COMPRESSED}
