"""Streams, several tags of one image, several platforms, several repositories."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.court import DAY, MB, MINUTE, Court, built, grown_by, weighing
from support.database import Engine, a_database
from support.images import a_layer, an_index_of
from support.policies import a_policy
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.policy.waiver import NewWaiver
from weighbridge.store.violations.waivers import put_waiver

pytestmark = pytest.mark.slow

ARM = Platform("linux", "arm64")
GROWTH = a_policy("growth", max_growth=0.25, min_growth=50 * MB)
DEBIAN = ("FROM debian", a_layer("debian", 50 * MB))
OLD_JAVA = ("RUN java", a_layer("java 8", 70 * MB))
NEW_JAVA = ("RUN java", a_layer("java 9", 470 * MB))


@pytest.fixture
def court(tmp_path: Path, engine: Engine) -> Iterator[Court]:
    with a_database(tmp_path, engine) as database:
        yield Court(database, names=[f"acme/app-{n}" for n in range(3)])


def test_an_image_with_several_tags_is_told_of_once(court: Court) -> None:
    heavy = weighing(501)
    court.crawl({"1": weighing(400), "latest": weighing(401)})
    court.crawl({"2": heavy, "latest": heavy, "stable": heavy})
    court.crawl({"2": weighing(502), "latest": weighing(502), "stable": weighing(502)})

    assert sorted(row.stream for row in court.rows()) == ["#", "latest", "stable"]
    assert court.events == ["opened"]


def test_a_tag_that_is_moved_is_a_stream_of_its_own(court: Court) -> None:
    court.policies = [GROWTH]
    for number in range(4):
        eight, nine = weighing(100 + number, "8"), weighing(300 + number, "9")
        court.crawl({"8-jre": eight, "9-jre": nine})
    court.crawl({"9-jre": weighing(310, "9")})
    kept = court.rows()
    court.crawl({"8-jre": weighing(290, "8")})
    court.crawl({"9-jre": weighing(311, "9")})

    assert kept == []
    assert [(row.stream, row.closed_at) for row in court.rows()] == [("8-jre", None)]


def test_what_a_tag_began_as_one_of_many_it_ends_when_it_is_moved(court: Court) -> None:
    court.crawl({"1": weighing(400)})
    court.crawl({"2": weighing(501)})
    court.crawl({"2": weighing(400, "mended")})

    assert [(r.stream, r.closed_by) for r in court.rows()] == [("#", "pushed")]


def test_a_new_tag_has_grown_against_others_like_it(court: Court) -> None:
    court.policies = [GROWTH]
    court.crawl({f"build-{n}": weighing(100 + n) for n in range(5)})
    court.crawl({"build-5": weighing(300)})

    (row,) = court.rows()
    assert (row.stream, row.baseline_compressed_bytes) == ("build-#", 102 * MB)
    assert row.before_compressed_bytes == 104 * MB


def test_tags_that_are_gone_are_still_what_was_before(court: Court) -> None:
    court.policies = [GROWTH]
    court.crawl({"0": weighing(90)})
    for number in range(1, 5):
        court.crawl({str(number): weighing(100 + number)}, deleted=[str(number - 1)])
    court.crawl({"5": weighing(300)})

    assert [row.baseline_compressed_bytes for row in court.rows()] == [102 * MB]


def test_growth_is_against_ten_images_however_many_there_were(court: Court) -> None:
    court.policies = [GROWTH]
    grown_by(court, *([40] * 3 + [200] * 30), 260)

    assert [row.baseline_compressed_bytes for row in court.rows()][-1:] == [200 * MB]


def test_each_platform_is_judged_and_all_have_one_cause(court: Court) -> None:
    court.platforms = (DEFAULT, ARM)

    def index(size: int) -> None:
        images = [
            built(("FROM x", a_layer((str(p), size), size * MB)), platform=p)
            for p in (DEFAULT, ARM, Platform("linux", "s390x"))
        ]
        court.crawl({"latest": an_index_of(*images)}, children=images)

    index(100)
    index(600)

    rows = court.rows()
    assert [row.platform for row in rows] == ["linux/amd64", "linux/arm64"]
    assert rows[0].cause_key == rows[1].cause_key is not None


def test_a_platform_that_is_no_longer_built_ends_with_it(court: Court) -> None:
    court.platforms = (DEFAULT, ARM)
    arm = weighing(501, "arm", platform=ARM)
    court.crawl({"latest": weighing(100)})
    court.crawl(
        {"latest": an_index_of(arm, weighing(101))}, children=[arm, weighing(101)]
    )
    court.crawl({"latest": weighing(102)})

    assert [(r.platform, r.closed_by) for r in court.rows()] == [
        ("linux/arm64", "deleted")
    ]


def test_the_cause_names_the_line(court: Court) -> None:
    court.crawl({"latest": built(DEBIAN, OLD_JAVA)})
    court.crawl({"latest": built(DEBIAN, OLD_JAVA, ("COPY x", a_layer(1, 400 * MB)))})

    cause = court.cause()
    assert (cause.of, cause.grown_amount) == ("own", 400 * MB)
    assert [c.instruction for c in cause.changes] == ["COPY x"]


def test_an_image_without_one_before_it_is_told_by_its_lines(court: Court) -> None:
    court.crawl({"other": weighing(1)})
    court.crawl({"latest": built(DEBIAN, NEW_JAVA)})

    assert [c.instruction for c in court.cause().changes] == ["RUN java", "FROM debian"]


def test_two_repositories_with_one_new_base_know_that_it_is_the_base(
    court: Court,
) -> None:
    for name in court.names:
        own = ("COPY app", a_layer(name, MB))
        court.crawl({"latest": built(DEBIAN, OLD_JAVA, own)}, name)
    for name in court.names:
        own = ("COPY app", a_layer((name, 2), 2 * MB))
        court.crawl({"latest": built(DEBIAN, NEW_JAVA, own)}, name)

    causes = [court.cause(name) for name in court.names]
    assert [cause.of for cause in causes] == ["base"] * 3
    assert [cause.base_grown_amount for cause in causes] == [400 * MB] * 3
    assert len({cause.key for cause in causes}) == 1


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_f39_many_repositories_at_once_are_two_messages(
    tmp_path: Path, engine: Engine
) -> None:
    names = [f"team/app-{n}" for n in range(30)]
    with a_database(tmp_path, engine) as database:
        court = Court(database, names=names)
        for name in names:
            court.crawl({"latest": built(DEBIAN, OLD_JAVA)}, name)
        court.now += DAY
        for name in names:
            court.now -= MINUTE
            own = ("COPY app", a_layer(name, MB))
            court.crawl({"latest": built(DEBIAN, NEW_JAVA, own)}, name)
            court.deliver()
        court.deliver_until(court.now + 2 * DAY)

        assert len(court.messages) == 2
        assert sum(map(len, court.messages)) == len(names)


def test_what_is_waived_is_kept_and_told_to_nobody(court: Court) -> None:
    with court.database.write() as connection:
        waiver = NewWaiver(
            "hub", "acme/*", "*", None, "known", "cli:me", court.now + DAY
        )
        put_waiver(connection, waiver, court.now)
    court.crawl({"1": weighing(400)})
    court.crawl({"2": weighing(501)})
    before = list(court.told)
    court.now += 2 * DAY
    court.crawl({"3": weighing(502)})

    assert before == []
    assert court.events == ["opened"]
    assert len(court.rows()) == 1


def test_many_tags_are_judged_a_piece_at_a_time(court: Court) -> None:
    court.crawl({"0": weighing(1)})
    heavy = weighing(501)
    court.crawl({f"tag{'x' * (n % 7)}-{n}": heavy for n in range(2_100)})
    first = len(court.rows())
    court.judge()

    assert first == 7
    assert len(court.rows()) == 7
    # One of each stream waits for the registry's word on its layer.
    assert court.unjudged() == 8
    court.measure(heavy.layers[0], 900 * MB)
    court.measure(weighing(1).layers[0], 2 * MB)
    court.judge()
    assert court.unjudged() == 0
    assert len(court.rows()) == 7


def test_t11_hostile_texts_are_kept_as_they_are(court: Court) -> None:
    text = "RUN <script>alert(1)</script> \u202e\0" + "x" * 5_000
    court.crawl({"latest": built(DEBIAN)})
    court.crawl({"latest": built(DEBIAN, (text, a_layer("x", 600 * MB)))})

    (change,) = court.cause().changes
    assert change.instruction.startswith("RUN <script>alert(1)</script>")
    assert len(change.instruction) == 1_000


def test_what_began_an_episode_stays_its_cause(court: Court) -> None:
    big = ("COPY models", a_layer("models", 600 * MB))
    court.crawl({"latest": built(DEBIAN)})
    court.crawl({"latest": built(DEBIAN, big)})
    court.crawl({"latest": built(DEBIAN, big, ("COPY app", a_layer("app", MB)))})
    court.crawl({"latest": built(DEBIAN, big)})

    (row,) = court.rows()
    assert [c.instruction for c in court.cause().changes] == ["COPY models"]
    assert (row.amount, row.before_compressed_bytes) == (650 * MB, 50 * MB)
