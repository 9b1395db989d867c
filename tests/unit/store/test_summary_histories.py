"""Random histories: the read model's row is what a plain look at all tags says."""

import random

import pytest
from sqlalchemy import select

from support.images import OCI_INDEX, a_digest, a_layer, an_image
from support.of_one import refresh_if_stale
from support.plain_summary import plain_summary
from support.seeds import seeds
from support.store_world import World
from support.summary_histories import PLATFORMS, History
from weighbridge.domain.growth.newest import baseline, leading, ranked
from weighbridge.domain.image.document import Child, Descriptor, Index
from weighbridge.domain.image.platform import DEFAULT
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.models import repositories, repository_summaries
from weighbridge.store.models.types import LARGEST
from weighbridge.store.read_model.leading_tags import (
    LeadingTags,
    PageSizes,
    find_leading,
)
from weighbridge.store.read_model.summaries import summarize
from weighbridge.store.session import Connection, Database
from weighbridge.store.tags.applying import (
    apply_deleted,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", seeds(0, 12, quick=1))
def test_a_refresh_says_what_a_plain_look_at_all_tags_says(
    database: Database, seed: int
) -> None:
    rnd = random.Random(seed)  # noqa: S311 - no secret
    history = History(database, rnd)

    for _ in range(60):
        world = history.step()
        if rnd.random() < 0.3:
            continue  # the next refresh is of several steps
        with database.write() as connection:
            for each in history.worlds:
                refresh_if_stale(connection, each.repository_id, world.now, PLATFORMS)

        with database.read() as connection:
            for each in history.worlds:
                where = (connection, each.repository_id, world.now, PLATFORMS)
                plain = plain_summary(*where)
                assert stored(connection, each.repository_id, plain) == plain
                assert plain.items() <= summarize(*where).items()


@pytest.mark.long_on("postgresql")  # the rest of this file has it
@pytest.mark.parametrize("seed", seeds(100, 8, quick=1))
@pytest.mark.parametrize(
    "sizes",
    [PageSizes(1, 1, 1, 1, 0), PageSizes(3, 2, 1, 3, 2), PageSizes(8, 12, 3, 5, 8)],
)
def test_tags_that_are_read_page_by_page_say_what_all_of_them_say(
    database: Database, seed: int, sizes: PageSizes
) -> None:
    history = History(database, random.Random(seed))  # noqa: S311 - no secret

    for _ in range(40):
        world = history.step()

        with database.read() as connection:
            found = leading_tags(connection, world, sizes)
            order = ranked(leading(found.candidates, world.now), world.now)
            plain = plain_summary(connection, world.repository_id, world.now, PLATFORMS)
        assert baseline(order) == plain["baseline_compressed_bytes"]
        newest = (order[0].candidate.tag, order[0].by) if order else (None, None)
        assert newest == (plain["newest_tag"], plain["newest_by"])


def leading_tags(connection: Connection, world: World, sizes: PageSizes) -> LeadingTags:
    """Of the one repository, read page by page."""
    number = world.repository_id
    scopes = {number: scope_of(connection, number)}
    return find_leading(connection, scopes, {}, world.now, PLATFORMS, sizes)[number]


def scope_of(connection: Connection, repository_id: int) -> int:
    """The storage scope that a repository belongs to."""
    found: int = connection.execute(
        select(repositories.c.scope_id).where(repositories.c.id == repository_id)
    ).scalar_one()
    return found


def test_of_images_that_came_at_once_the_highest_versions_are_looked_at(
    world: World,
) -> None:
    images = [an_image([a_layer(n, 100 * n)]) for n in range(1, 13)]
    first = {f"1.{n}": image for n, image in enumerate(images)}
    world.crawl(first | {f"0.{50 - n}": image for n, image in enumerate(images)})
    world.crawl({"main": an_image([a_layer("new", 5)])})

    with world.database.read() as connection:
        found = leading_tags(connection, world, PageSizes(1, 64, 1))

    order = ranked(leading(found.candidates, world.now), world.now)
    assert order[0].candidate.tag == "main"
    assert baseline(order) == (700 + 800) // 2  # without 1.0 and 1.1


def test_the_size_of_an_unread_child_counts_until_documents_disagree_about_it(
    world: World,
) -> None:
    elsewhere, here = a_layer("m", 700, is_foreign=True), a_layer("m", 900)
    child = Child(Descriptor(elsewhere.media_type, elsewhere.digest, 700), "image")
    index = Index(a_digest("index"), OCI_INDEX, 300, (child,))
    world.keep(an_image([elsewhere]))
    world.keep(index, missing={elsewhere.digest: "not_found"})
    world.crawl({"multi": index})
    assert world.report().referenced_bytes == 300 + 700

    world.keep(an_image([here]))
    settle_all(world.database)

    assert after_losing(world) == 300


def test_a_stranger_who_claims_too_much_is_counted_right_once_that_has_gone(
    world: World,
) -> None:
    huge = an_image([a_layer("huge", LARGEST)])
    small = an_image([a_layer("small", 10)])
    world.crawl({"a": huge, "b": huge, "c": small})

    assert after_losing(world, "c") == LARGEST
    assert after_losing(world, "a", "b") == 0


def after_losing(world: World, *names: str) -> int | None:
    """The referenced bytes that a refresh says when these tags are gone."""
    with world.database.write() as connection:
        taken = world.claimed(connection)
        apply_deleted(connection, taken, names, world.now)
        refresh_if_stale(connection, world.repository_id, world.now, [DEFAULT])
    return world.report().referenced_bytes


def stored(
    connection: Connection, repository_id: int, columns: dict[str, object]
) -> dict[str, object]:
    """These columns of the row."""
    row = connection.execute(
        select(repository_summaries).where(
            repository_summaries.c.repository_id == repository_id
        )
    ).one()
    return {name: row._mapping[name] for name in columns}
