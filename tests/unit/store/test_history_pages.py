"""The history of a tag and of a repository, as it is read back from the store."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from support.database import Engine, a_database
from support.images import a_layer, an_artifact_of, an_image, an_index_of
from support.known_bases import KnownBases
from support.statements import counted
from support.store_world import MINUTE, T0, World, a_result
from weighbridge.domain.image.document import Image, Line
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.report.history import HistoryReport, HistoryStep
from weighbridge.errors import UsageError
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.maintenance.pruning import prune_manifests
from weighbridge.store.models import blobs, image_bases, tag_moves, tags
from weighbridge.store.reports.history import HistoryQuery, history_page
from weighbridge.store.reports.tag_moves import MOVES, TAGS

ARM: Final = Platform("linux", "arm64")
DAY: Final = timedelta(days=1)


def a_build(number: int, *compressed_bytes: int, created: datetime = T0) -> Image:
    """An image whose first line is always the same one."""
    layers = [a_layer((number, i), n) for i, n in enumerate(compressed_bytes)]
    lines = [
        Line("FROM base" if i == 0 else f"RUN step-{i}", created, layer=i)
        for i in range(len(layers))
    ]
    return an_image(layers, lines=lines, created_at=created)


def history(world: World, tag: str | None = None, **query: object) -> HistoryReport:
    asked = HistoryQuery("hub", "acme/app", tag, **query)  # type: ignore[arg-type]
    with world.database.read() as connection:
        found = history_page(connection, asked, world.now)
    assert found is not None
    return found


def whole(world: World, tag: str | None, limit: int) -> list[HistoryStep]:
    """All steps, page by page."""
    found: list[HistoryStep] = []
    cursor = None
    for _ in range(100):
        page = history(world, tag, limit=limit, cursor=cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found
    raise AssertionError("the pages have no end")


def test_a_tags_moves_come_latest_first_with_growth_and_cause(world: World) -> None:
    world.crawl({"main": a_build(1, 100, 50)})
    world.crawl({"main": a_build(2, 100, 80)})

    latest, first = history(world, "main").items

    assert (first.by, first.compressed_bytes, first.grown_bytes) == (
        "first_seen",
        150,
        None,
    )
    assert (latest.by, latest.compressed_bytes, latest.grown_bytes) == (
        "moved",
        180,
        30,
    )
    assert (first.until, latest.until) == (latest.at, None)
    assert latest.cause is not None
    assert latest.cause.heaviest is not None
    assert latest.cause.heaviest.instruction == "RUN step-1"
    assert latest.cause.grown_amount == 30
    assert latest.before_digest == first.image
    assert latest.lines is not None
    assert [(y.instruction, y.compressed_bytes) for y in latest.lines] == [
        ("FROM base", 100),
        ("RUN step-1", 80),
    ]


def test_aliases_stand_beside_the_tag_that_is_asked_for(world: World) -> None:
    one, two = a_build(1, 100), a_build(2, 120)
    world.crawl({"1.0": one, "latest": one, "other": two})
    world.crawl({"latest": two, "1.1": two})

    latest, first = history(world, "latest").items

    assert (latest.tags, latest.tag_count) == (("1.1", "latest"), 2)
    assert first.tags == ("1.0", "latest")


def test_a_repository_shows_what_its_newest_image_was(world: World) -> None:
    world.crawl({"1.0": a_build(1, 100), "1.1": a_build(2, 150)})
    world.crawl({"1.2": a_build(3, 200)})
    world.crawl({"0.9": a_build(4, 90)})
    world.crawl(deleted=["0.9"])

    steps = history(world).items
    report = world.report()

    assert [(s.by, s.tags, s.grown_bytes) for s in steps] == [
        ("deleted", ("1.2",), 110),
        ("moved", ("0.9",), -110),
        ("moved", ("1.2",), 50),
        ("first_seen", ("1.1",), None),
    ]
    assert steps[0].image == report.newest_digest
    assert steps[0].compressed_bytes == report.newest_compressed_bytes


def test_charts_and_signatures_are_never_the_newest(world: World) -> None:
    world.crawl({"1.0": a_build(1, 100)})
    world.crawl({"1.0.sig": an_artifact_of(a_layer("sig", 7))})

    assert [step.tags for step in history(world).items] == [("1.0",)]
    (signature,) = history(world, "1.0.sig").items
    assert (signature.kind, signature.compressed_bytes, signature.reason) == (
        "artifact",
        None,
        "no_image",
    )


def test_one_platform_is_compared_with_itself(world: World) -> None:
    for number in (1, 2):
        amd = a_build(number, 100 * number)
        arm = an_image([a_layer(("arm", number), 10 * number)], platform=ARM)
        world.keep(amd, arm)
        world.crawl({"main": an_index_of(amd, arm)})

    latest, first = history(world, "main", platform=ARM).items
    (only, _) = history(world, "main", platform=Platform("linux", "s390x")).items

    assert (latest.platform, latest.compressed_bytes) == ("linux/arm64", 20)
    assert (first.compressed_bytes, latest.grown_bytes) == (10, 10)
    assert history(world, "main").items[0].grown_bytes == 100
    assert (only.compressed_bytes, only.reason) == (None, "no_platform")


def test_of_a_pruned_image_the_size_stays_and_the_lines_are_unknown(
    world: World,
) -> None:
    amd = a_build(1, 100)
    world.keep(amd)
    world.crawl({"main": an_index_of(amd)})
    world.crawl({"main": a_build(2, 130)})
    world.crawl({"main": a_build(3, 170)})
    settle_all(world.database)
    later = world.now + 1000 * DAY
    prune_manifests(world.database, DAY, later, lambda: False)

    latest, second, first = history(world, "main").items

    assert (first.reason, second.reason, latest.reason) == ("pruned", "pruned", None)
    assert [s.compressed_bytes for s in (first, second, latest)] == [100, 130, 170]
    assert (latest.grown_bytes, latest.cause, second.lines) == (40, None, None)


def test_an_index_whose_image_is_missing_says_so(world: World) -> None:
    image = a_build(1, 100)
    index = an_index_of(image)
    world.keep(index, missing={image.digest: "not_found"})
    world.crawl({"main": index})

    (step,) = history(world, "main").items

    assert (step.compressed_bytes, step.reason) == (None, "not_read")


def test_what_began_before_a_time_is_left_out_and_still_compared(world: World) -> None:
    for number in (1, 2, 3):
        world.crawl({"main": a_build(number, 100 * number)})
    since = history(world, "main").items[0].at

    (only,) = history(world, "main", since=since).items

    assert only.grown_bytes == 100
    assert history(world, "main", since=since, limit=1).next_cursor is not None
    assert history(world, since=since).items[0].grown_bytes == 100


@pytest.mark.parametrize(
    ("state", "words"),
    [("partial", "its last crawl was not complete (timeout)"), ("ok", None)],
)
def test_what_may_be_missing_is_said(
    world: World, state: str, words: str | None
) -> None:
    result = a_result(state=state, reason="timeout" if words else "")  # type: ignore[arg-type]
    world.crawl({"main": a_build(1, 100)}, result=result)

    assert history(world).reason == words


def test_tags_that_are_held_back_are_said(world: World) -> None:
    world.crawl({"main": a_build(1, 100)}, result=a_result(held=["main"]))

    found = history(world)

    assert found.reason is not None
    assert "held back" in found.reason
    assert len(found.items) == 1


def test_there_is_no_history_of_what_is_not_known(world: World) -> None:
    world.crawl({"main": a_build(1, 100)})

    with world.database.read() as connection:
        assert (
            history_page(connection, HistoryQuery("hub", "acme/app", "next"), world.now)
            is None
        )
        assert (
            history_page(connection, HistoryQuery("hub", "acme/ap"), world.now) is None
        )
        assert (
            history_page(connection, HistoryQuery("hug", "acme/app"), world.now) is None
        )


@pytest.mark.long_on("postgresql")  # no statement of its own
@pytest.mark.parametrize("tag", ["main", None])
@pytest.mark.parametrize("cursor", ["history:1", "tags:a:b", "history:x:1"])
def test_a_cursor_of_another_list_is_refused(
    world: World, tag: str | None, cursor: str
) -> None:
    world.crawl({"main": a_build(1, 100)})

    with pytest.raises(UsageError) as refused:
        history(world, tag, cursor=cursor)

    assert refused.value.code == "invalid_cursor"


@pytest.mark.long_on("postgresql")  # no statement of its own
@pytest.mark.parametrize("tag", ["main", None])
@pytest.mark.parametrize("number", [-(2**63), 0, 2**63 - 1])
def test_a_cursor_of_any_number_is_a_place(
    world: World, tag: str | None, number: int
) -> None:
    world.crawl({"main": a_build(1, 100)})

    found = history(world, tag, cursor=f"history:{number}:{number}")

    assert len(found.items) == (1 if number > 0 else 0)


CRAWLS: Final = st.lists(
    st.dictionaries(
        st.sampled_from(["1.0", "1.1", "latest", "main"]), st.integers(0, 4), max_size=3
    ),
    min_size=1,
    max_size=6,
)
YEARS: Final = st.permutations([1, 1970, 1999, 2026, 9999])


@pytest.mark.long_on("postgresql")  # the rest of this file has it
@given(crawls=CRAWLS, years=YEARS, limit=st.integers(1, 3))
@settings(max_examples=15, deadline=None)
@pytest.mark.slow
def test_pages_have_all_steps_and_no_clock_of_an_image_orders_them(
    engine: Engine, crawls: list[dict[str, int]], years: list[int], limit: int
) -> None:
    told: list[list[object]] = []
    for clocks in (years, [2026] * 5):
        with TemporaryDirectory() as folder, a_database(Path(folder), engine) as store:
            world = World(store)
            for moves in crawls:
                images = {
                    name: a_build(
                        n, 100 + n, created=datetime(clocks[n], 1, 1, tzinfo=UTC)
                    )
                    for name, n in moves.items()
                }
                world.crawl(images)
            for tag in [None, *sorted({name for moves in crawls for name in moves})]:
                steps = whole(world, tag, limit)
                assert steps == whole(world, tag, 1000)
                assert [s.at for s in steps] == sorted(
                    (s.at for s in steps), reverse=True
                )
                sizes = [s.compressed_bytes or 0 for s in steps]
                grown = sum(s.grown_bytes or 0 for s in steps)
                assert not sizes or grown == sizes[0] - sizes[-1]
                told.append([(s.at, s.by, s.tags, s.compressed_bytes) for s in steps])
            newest = world.report().newest_digest
            assert [s.image for s in whole(world, None, 1)[:1]] == (
                [newest] if newest else []
            )
    assert told[: len(told) // 2] == told[len(told) // 2 :]


def test_a_long_history_is_read_in_as_many_statements_as_a_short_one(
    world: World,
) -> None:
    world.crawl({"main": a_build(0, 100), "1.0": a_build(0, 100)})
    world.crawl({"main": a_build(1, 100)})
    with counted() as short:
        history(world, limit=5)
    for number in range(2, 40):
        world.crawl({"main": a_build(number, 100 + number)})
    with counted() as long:
        history(world, limit=5)

    assert len(long) == len(short)


def test_more_moves_than_are_read_at_once_are_all_in_the_pages(world: World) -> None:
    """Of two tags each has more moves than are read of it at once."""
    one, two = a_build(1, 100), a_build(2, 130)
    world.crawl({"main": one, "next": one, "1.0": one})
    world.crawl({"main": two, "next": two})
    count = MOVES // 3 + 50
    start = world.now
    with world.database.write() as connection:
        targets = dict(connection.execute(select(blobs.c.digest, blobs.c.id)).all())
        ids = dict(connection.execute(select(tags.c.name, tags.c.id)).all())
        connection.execute(update(tag_moves).values(seen_until=start))
        gone = update(tags).where(tags.c.name == "1.0")
        connection.execute(gone.values(deleted_at=start))
        moves = [
            {
                "tag_id": ids[name],
                "target_id": targets[(one, two)[n % 2].digest],
                "seen_from": start + MINUTE * (2 * n + (name == "next")),
                "seen_until": start + MINUTE * (2 * n + 2 + (name == "next")),
            }
            for name in ("main", "next")
            for n in range(1, count + 1)
        ]
        connection.execute(insert(tag_moves), moves)

    found: list[HistoryStep] = []
    cursor = None
    while True:
        page = history(world, limit=1000, cursor=cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break

    times = [step.at for step in found]
    assert times == sorted(set(times), reverse=True)
    # `next` comes a minute after `main`, to the same image: one step each time.
    assert [s.compressed_bytes for s in found] == [
        130 if n % 2 else 100 for n in range(count, -1, -1)
    ]
    assert [s.until for s in found[1:-1]] == times[:-2]


def test_a_step_says_what_its_image_stands_on_and_what_of_it_that_is(
    world: World,
) -> None:
    known = KnownBases(world.database, world.now)
    build = known.base("debian", "library/debian:stretch", layers=1)
    one, two = a_build(1, 100, 50), a_build(2, 120, 50)
    world.crawl({"main": one})
    world.crawl({"main": two})
    with world.database.write() as connection:
        rows = connection.execute(select(blobs.c.digest, blobs.c.id)).all()
        ids = {digest: number for digest, number in rows}
        row = {"base_chain_id": build, "relation": "base", "found_by": "layers"}
        connection.execute(insert(image_bases).values(image_id=ids[two.digest], **row))

    latest, first = history(world, "main").items

    assert first.base is None
    assert latest.base is not None
    assert latest.base.reference == "library/debian:stretch"
    assert (latest.base.layers, latest.base.compressed_bytes) == (1, 120)
    assert latest.cause is not None
    assert latest.cause.base_grown_amount == 20


EVENTS: Final = st.lists(
    st.tuples(
        st.dictionaries(
            st.sampled_from(["1.0", "1.1", "latest", "dev", "pr-7"]),
            st.integers(0, 4),
            max_size=3,
        ),
        st.sets(st.sampled_from(["1.0", "1.1", "latest", "dev"]), max_size=2),
        st.none() | st.integers(-40, 0),
    ),
    min_size=1,
    max_size=6,
)


def test_the_latest_step_is_the_newest_image_of_more_tags_than_are_read(
    world: World,
) -> None:
    """No time is known of any: the version says which is the newest, and its name is
    the last of all."""
    newest = a_build(1, 100)
    builds = dict.fromkeys([f"build-{n}" for n in range(TAGS + 1)], a_build(2, 50))
    world.crawl({"1": newest, **builds})
    assert world.report().newest_tag == "1"

    found = history(world)

    assert [step.tags for step in found.items] == [("1",)]
    assert found.reason is not None


@given(events=EVENTS)
@settings(max_examples=20, deadline=None)
@pytest.mark.slow
def test_the_latest_step_is_the_newest_image_of_the_read_model(
    engine: Engine, events: list[tuple[dict[str, int], set[str], int | None]]
) -> None:
    with TemporaryDirectory() as folder, a_database(Path(folder), engine) as store:
        world = World(store)
        for moves, deleted, pushed in events:
            told = None if pushed is None else world.now + DAY * pushed
            images = {name: a_build(n, 100 + n) for name, n in moves.items()}
            world.crawl(images, deleted=deleted - moves.keys(), pushed_at=told)

            newest, steps = world.report().newest_digest, history(world).items

            assert [s.image for s in steps[:1] if s.until is None] == (
                [newest] if newest else []
            )
