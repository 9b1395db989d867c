"""Tags by what they name: newest first, in pages, with what deleting each row frees."""

from datetime import timedelta

import pytest
from sqlalchemy import event

from support.images import a_layer, an_image, an_index_of
from support.known_bases import KnownBases
from support.store_world import T0, World, a_result
from weighbridge.domain.image.document import Document, Image
from weighbridge.domain.image.image_base import BaseInWords
from weighbridge.store.reports.tag_groups import TagGroup, TagGroups, group_page
from weighbridge.store.tags.tag_rows import TagFailure


def an_own_image(name: object, size: int = 100) -> Image:
    return an_image([a_layer(name, size)])


def groups(
    world: World,
    limit: int = 100,
    cursor: str | None = None,
    fitting: str | None = None,
) -> TagGroups:
    with world.database.read() as connection:
        return group_page(
            connection,
            world.report(),
            world.now,
            limit=limit,
            cursor=cursor,
            fitting=fitting,
        )


def names(found: TagGroups) -> list[list[str]]:
    return [[tag.name for tag in group.tags] for group in found.page.items]


def only(found: TagGroups) -> TagGroup:
    (group,) = found.page.items
    return group


def test_the_newest_push_comes_first_and_tags_of_one_image_are_one_row(
    world: World,
) -> None:
    old, new = an_own_image("old"), an_own_image("new")
    world.crawl({"1.0": old, "stable": old}, pushed_at=T0 - timedelta(days=9))
    world.crawl({"2.0": new, "latest": new}, pushed_at=T0)

    assert names(groups(world)) == [["latest", "2.0"], ["stable", "1.0"]]


def test_where_no_time_is_known_the_names_decide(world: World) -> None:
    world.crawl({f"1.{n}": an_own_image(n) for n in (2, 10, 9)})

    assert names(groups(world)) == [["1.10"], ["1.9"], ["1.2"]]


def test_what_moved_since_the_first_crawl_comes_before_what_was_there(
    world: World,
) -> None:
    world.crawl({"9": an_own_image(9), "1": an_own_image("first")})
    world.crawl({"1": an_own_image("second")})

    assert names(groups(world)) == [["1"], ["9"]]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_hold_every_row_once(world: World, limit: int) -> None:
    world.crawl({f"a{n}": an_own_image(n % 4) for n in range(9)})
    world.crawl({f"b{n}": an_own_image(("b", n)) for n in range(3)}, pushed_at=T0)
    world.crawl(
        failures=[TagFailure(f"never-{n}", "timeout", "10 s", None) for n in range(2)],
        deleted=["a0"],
    )
    found: list[list[str]] = []
    cursor = None
    while True:
        page = groups(world, limit, cursor)
        found += names(page)
        cursor = page.page.next_cursor
        if cursor is None:
            break

    assert found == names(groups(world))
    assert len(found) == 3 + 4 + 1 + 2


def test_a_row_says_what_deleting_all_of_its_tags_frees(world: World) -> None:
    base = a_layer("base", 1000)
    one = an_image([base, a_layer("one", 10)])
    two = an_image([base, a_layer("two", 20)])
    world.crawl({"1": one, "1.0": one, "2": two})

    freed = {g.tags[-1].name: g.freed_bytes for g in groups(world).page.items}

    # Their configs are one blob.
    assert freed == {
        "1": 10 + one.manifest.manifest_bytes,
        "2": 20 + two.manifest.manifest_bytes,
    }


def test_a_row_whose_image_an_index_lists_frees_nothing(world: World) -> None:
    image = an_own_image("amd")
    index = an_index_of(image)
    world.crawl({"amd": image, "all": index})

    freed = {g.tags[0].name: g.freed_bytes for g in groups(world).page.items}

    assert freed == {"amd": 0, "all": index.manifest_bytes}


def test_what_is_gone_is_a_row_of_its_own_and_frees_nothing_more(world: World) -> None:
    image = an_own_image("x")
    world.crawl({"1": image, "1-rc": image})
    world.crawl(deleted=["1-rc"])

    found = groups(world).page.items

    assert [(g.tags[0].name, g.freed_bytes is None) for g in found] == [
        ("1-rc", True),
        ("1", False),
    ]


def test_of_a_thousand_tags_of_one_image_a_few_are_named(world: World) -> None:
    world.crawl(dict.fromkeys([f"build-{n}" for n in range(1000)], an_own_image("x")))

    group = only(groups(world))

    assert group.count == 1000
    assert [tag.name for tag in group.tags][:2] == ["build-999", "build-998"]
    assert len(group.tags) == 12


@pytest.mark.parametrize(
    ("fitting", "found"),
    [
        ("1.4*", [["stable", "1.4.1"], ["1.4.0"]]),
        ("*.0", [["2.0"], ["1.4.0"]]),
        ("4.", [["stable", "1.4.1"], ["1.4.0"]]),
        ("STABLE", [["stable", "1.4.1"]]),
        ("1_4", []),
        ("%", []),
        ("a\\", []),
        ("*", [["2.0"], ["stable", "1.4.1"], ["1.4.0"]]),
    ],
)
def test_a_filter_finds_rows_by_any_of_their_names(
    world: World, fitting: str, found: list[list[str]]
) -> None:
    world.crawl({"1.4.0": an_own_image(0)}, pushed_at=T0 - timedelta(days=9))
    both = an_own_image(1)
    world.crawl({"1.4.1": both, "stable": both}, pushed_at=T0 - timedelta(days=5))
    world.crawl({"2.0": an_own_image(2)}, pushed_at=T0)

    assert names(groups(world, fitting=fitting)) == found


def test_what_fits_comes_in_pages_too(world: World) -> None:
    world.crawl({f"1.{n}": an_own_image(n) for n in range(5)})
    world.crawl({"2": an_own_image("other")})

    first = groups(world, 3, fitting="1.*")
    last = groups(world, 3, first.page.next_cursor, "1.*")

    assert names(first) + names(last) == [[f"1.{n}"] for n in (4, 3, 2, 1, 0)]


def test_each_row_says_what_its_image_stands_on(world: World) -> None:
    bases = KnownBases(world.database, world.now)
    bases.base("debian", "library/debian:12", compressed_bytes=70)
    app, other = an_own_image("app"), an_own_image("other")
    index = an_index_of(app)
    world.keep(app)
    world.crawl({"1": index, "2": other})
    bases.stands_on(app.digest, "debian")

    found = {g.tags[0].name: g.base for g in groups(world).page.items}

    debian = BaseInWords("library/debian:12", (), 1, "base", "layers", 70)
    assert found == {"1": debian, "2": None}


def test_a_page_knows_what_comes_behind_it(world: World) -> None:
    world.crawl({f"1.{n}": an_own_image(n) for n in range(3)})

    first = groups(world, 2)
    last = groups(world, 2, first.page.next_cursor)

    assert first.behind is not None
    assert [tag.name for tag in first.behind.tags] == ["1.0"]
    assert (names(last), last.behind) == ([["1.0"]], None)


def test_of_a_repository_that_was_not_seen_whole_no_row_has_a_number(
    world: World,
) -> None:
    result = a_result(complete=False, state="partial", reason="timeout")
    world.crawl({"1": an_own_image("x")}, result=result)

    found = groups(world)

    assert found.unknown == "its last crawl did not see all of it (timeout)"
    assert only(found).freed_bytes is None


def test_a_page_asks_as_much_of_ten_tags_as_of_a_hundred(world: World) -> None:
    """Count the statements: none of them is asked once for each row."""
    counts = []
    for size in (10, 100):
        moves: dict[str, Document] = {f"{n}": an_own_image(n) for n in range(size)}
        world.crawl(moves)
        asked: list[str] = []

        def note(*arguments: object, into: list[str] = asked) -> None:
            into.append(str(arguments[2]))

        with world.database.read() as connection:
            report = world.report()
            event.listen(connection, "before_cursor_execute", note)
            group_page(connection, report, world.now)
            event.remove(connection, "before_cursor_execute", note)
        counts.append(len(asked))

    assert counts[0] == counts[1] < 25
