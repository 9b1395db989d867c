"""Where else an image is, and since when a tag leads to it."""

from datetime import timedelta

from support.images import a_layer, an_image, an_index_of
from support.store_world import T0, World
from weighbridge.domain.image.digest import Digest
from weighbridge.store.reports.weighings import find_weighing
from weighbridge.store.session import Database
from weighbridge.store.tags.whereabouts import (
    SHOWN,
    OtherRepository,
    Whereabouts,
    find_whereabouts,
)

IMAGE = an_image([a_layer("app", 10)])
OTHER = an_image([a_layer("other", 20)])


def of(
    world: World, *, tag: str | None = None, digest: Digest | None = None
) -> Whereabouts:
    with world.database.read() as connection:
        weighing = find_weighing(
            connection, "hub", "acme/app", tag=tag, digest=digest, now=world.now
        )
        assert weighing is not None
        return find_whereabouts(connection, weighing)


def another(database: Database, repository: str, registry: str = "hub") -> World:
    return World(database, registry, repository)


def test_other_repositories_of_any_registry_are_named_with_their_tags(
    world: World,
) -> None:
    world.crawl({"1.0": IMAGE, "latest": IMAGE})
    another(world.database, "acme/copy").crawl({"1.0": IMAGE, "2.0": IMAGE})
    another(world.database, "mirror/app", "lab").crawl({"1.0": IMAGE, "x": OTHER})
    another(world.database, "acme/strange").crawl({"1.0": OTHER})

    found = of(world, tag="1.0")

    assert found.holders == [
        OtherRepository("hub", "acme/copy", 2),
        OtherRepository("lab", "mirror/app", 1),
    ]
    assert (found.repositories, found.is_more) == (2, False)


def test_an_index_elsewhere_that_lists_the_image_holds_it(world: World) -> None:
    world.crawl({"1.0": IMAGE})
    indexed = another(world.database, "acme/many")
    indexed.crawl({"1.0": an_index_of(IMAGE, OTHER)})

    assert of(world, tag="1.0").holders == [OtherRepository("hub", "acme/many", 0)]


def test_what_a_repository_no_longer_has_is_not_there(world: World) -> None:
    world.crawl({"1.0": IMAGE})
    copy = another(world.database, "acme/copy")
    copy.crawl({"1.0": IMAGE})
    copy.crawl(deleted=["1.0"])

    assert of(world, tag="1.0").holders == []


def test_few_are_named_and_all_are_counted(world: World) -> None:
    world.crawl({"1.0": IMAGE})
    for number in range(SHOWN + 3):
        another(world.database, f"copies/{number:02}").crawl({"1.0": IMAGE})

    found = of(world, tag="1.0")

    assert [each.repository for each in found.holders] == [
        f"copies/{number:02}" for number in range(SHOWN)
    ]
    assert (found.repositories, found.is_more) == (SHOWN + 3, False)


def test_since_when_a_tag_leads_there(world: World) -> None:
    world.crawl({"first": IMAGE, "moved": OTHER, "pushed": OTHER})
    first = world.now
    world.crawl({"moved": IMAGE})
    moved = world.now
    world.crawl({"pushed": IMAGE}, pushed_at=T0 + timedelta(hours=1))

    assert of(world, tag="first").since == (None, first, True)
    assert of(world, tag="moved").since == (None, moved, False)
    pushed = of(world, tag="pushed").since
    assert pushed is not None
    assert pushed.pushed_at == T0 + timedelta(hours=1)
    assert of(world, digest=IMAGE.digest).since is None
