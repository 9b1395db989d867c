"""The names that somebody may have meant, however many there are."""

from support.images import an_image, some_layers
from support.statements import counted
from support.store_world import World
from weighbridge.store.reports.nearest import nearest_repositories, nearest_tags

IMAGE = an_image(some_layers(100))


def near(world: World, tag: str) -> list[str]:
    with world.database.read() as connection:
        return nearest_tags(connection, "hub", "acme/app", tag)


def test_a_slip_in_a_tag_leads_to_the_nearest(world: World) -> None:
    world.crawl(dict.fromkeys(["1.4.2", "1.5.0", "latest"], IMAGE))

    assert near(world, "lates") == ["latest"]
    assert near(world, "1.5")[0] == "1.5.0"
    assert near(world, "x") == []


def test_a_tag_that_is_gone_is_not_meant(world: World) -> None:
    world.crawl(dict.fromkeys(["1.4.2", "1.4.3"], IMAGE))
    world.crawl(deleted=["1.4.3"])

    assert near(world, "1.4.33") == ["1.4.2"]


def test_of_many_tags_those_are_found_that_stand_beside_it(world: World) -> None:
    world.crawl(dict.fromkeys((f"{n:04}-build" for n in range(1_500)), IMAGE))

    with counted() as statements:
        found = near(world, "1432-buil")

    assert found[0] == "1432-build"
    assert len(statements) <= 6


def test_a_slip_in_a_repository_leads_to_the_nearest(world: World) -> None:
    with world.database.read() as connection:
        found = nearest_repositories(connection, "hub", "acme/ap")
        elsewhere = nearest_repositories(connection, "hb", "acme/app")

    assert found == elsewhere == ["hub/acme/app"]
