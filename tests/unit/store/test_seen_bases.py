"""Bases as they are counted for who sees some repositories alone."""

import random
from datetime import timedelta

import pytest
from msgspec.structs import replace

from support.images import a_layer, an_image
from support.known_bases import KnownBases, random_bases, stand_somewhere
from support.ledger_world import Fleet, History
from support.seeds import seeds
from support.store_world import T0, World
from weighbridge.domain.access.principal import Sight
from weighbridge.domain.report.base import BaseImageReport, BaseReport
from weighbridge.store.bases.builds_on_base import CountedBase
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.named_rows import find_place
from weighbridge.store.read_model.base_summaries import refresh_base_summaries
from weighbridge.store.read_model.seen_bases import seen_bases
from weighbridge.store.read_model.summaries import refresh_summary
from weighbridge.store.reports.base_images import BaseImageQuery, base_image_page
from weighbridge.store.reports.bases import (
    BASE_SORTS,
    BASE_VALUES,
    BaseQuery,
    base_page,
    base_totals,
    find_base,
    page_of_seen,
    totals_of_seen,
)
from weighbridge.store.session import Connection, Database
from weighbridge.web.request.kept_bases import KeptBases, Seer

PYTHON = "library/python:3"


def told(report: BaseReport) -> BaseReport:
    """What is also told where others may have the same layers."""
    return replace(report, saved_stored_bytes=None)


@pytest.mark.parametrize("seed", seeds(700, 4, quick=1))
def test_of_all_repositories_it_is_what_is_kept_of_all(
    database: Database, seed: int
) -> None:
    rnd = random.Random(seed)  # noqa: S311 - no secret
    fleet = Fleet(database)
    history = History(fleet, rnd)
    known = random_bases(database, rnd, fleet.now)
    for _ in range(20):
        history.step()
    settle_all(database)
    with database.write() as connection:
        for repository_id in fleet.ids.values():
            refresh_summary(connection, repository_id, fleet.now, [])
    stand_somewhere(known, rnd)
    refresh_base_summaries(database, fleet.now)

    with database.read() as connection:
        every = Sight(frozenset(fleet.ids.values()), frozenset({"hub"}))
        seen = seen_bases(connection, every.ids, fleet.now)
        kept = base_page(connection, BaseQuery(sort="name", order="asc", limit=1000))

        assert [base.report for base in seen] == list(map(told, kept.items))
        assert totals_of_seen(seen) == base_totals(connection)
        for base in seen:
            name = base.report.reference
            found = find_base(connection, name, fleet.now)
            assert found is not None
            assert (base.builds, base.chain) == (found.builds, found.chain)
            assert every_image(connection, base, every) == every_image(
                connection, found
            )


def every_image(
    connection: Connection,
    base: CountedBase,
    sight: Sight | None = None,
    limit: int = 1000,
) -> list[BaseImageReport]:
    """Page by page."""
    found: list[BaseImageReport] = []
    query = BaseImageQuery(limit=limit)
    while True:
        page = base_image_page(connection, base, query, sight)
        found += page.items
        if page.next_cursor is None:
            return found
        query = replace(query, cursor=page.next_cursor)


@pytest.fixture
def fleet(database: Database) -> KnownBases:
    """An image of each team on the python of now, and one on the one before."""
    known = KnownBases(database, T0)
    known.base("slim", f"{PYTHON}-slim", compressed_bytes=100)
    known.base("python", PYTHON, compressed_bytes=400)
    known.base("old", PYTHON, compressed_bytes=300, left_at={PYTHON: T0})
    for name in ("shop/a", "web/a"):
        world = World(database, repository=name)
        for tag, build in (("1", "old"), ("2", "python")):
            image = an_image([a_layer(f"{name} {tag}", 1000)])
            world.crawl({tag: image})
            known.stands_on(image.digest, build)
    refresh_base_summaries(database, T0)
    return known


def sight_of(connection: Connection, name: str) -> Sight:
    place = find_place(connection, "hub", name)
    assert place is not None
    return Sight(frozenset({place.id}), frozenset({"hub"}))


def test_it_is_counted_over_what_is_seen_alone(
    fleet: KnownBases, database: Database
) -> None:
    with database.read() as connection:
        (base,) = seen_bases(connection, sight_of(connection, "shop/a").ids, T0)
        (kept,) = base_page(connection, BaseQuery()).items

    seen = base.report
    assert (seen.images, kept.images) == (2, 4)
    assert (seen.repositories, kept.repositories) == (1, 2)
    assert (seen.outdated_images, kept.outdated_images) == (1, 2)
    assert (seen.newest_repositories, kept.newest_repositories) == (1, 2)
    assert (seen.weighed_bytes, kept.weighed_bytes) == (2000, 4000)
    assert (seen.base_bytes, kept.base_bytes) == (700, 1400)
    assert (seen.saved_bytes, kept.saved_bytes) == (300, 600)
    assert (seen.saving_images, kept.saving_images) == (2, 4)
    assert seen.saved_stored_bytes is None
    for key in ("reference", "state", "compressed_bytes", "variant", "layers"):
        assert getattr(seen, key) == getattr(kept, key)


@pytest.mark.parametrize("limit", [1, 2])
def test_the_images_on_a_base_are_those_that_are_seen_page_by_page(
    fleet: KnownBases, database: Database, limit: int
) -> None:
    with database.read() as connection:
        base = find_base(connection, PYTHON, T0)
        assert base is not None
        sight = sight_of(connection, "shop/a")
        found = every_image(connection, base, sight, limit)

    assert [(each.repository, each.base_state) for each in found] == [
        ("shop/a", "outdated"),
        ("shop/a", "current"),
    ]


def test_what_is_kept_of_a_team_is_counted_again_with_the_bases_of_all(
    fleet: KnownBases, database: Database
) -> None:
    kept = KeptBases()
    shop = (frozenset({"shop"}), None)

    def images(seer: Seer, name: str) -> int:
        with database.read() as connection:
            sight = sight_of(connection, name)
            (base,) = kept.find(connection, seer, sight, T0)
        return base.report.images

    assert images(shop, "shop/a") == 2
    world = World(database, repository="shop/a", now=T0 + timedelta(days=9))
    third = an_image([a_layer("third", 1000)])
    world.crawl({"3": third})
    fleet.stands_on(third.digest, "python")
    assert images(shop, "shop/a") == 2
    assert images((frozenset({"other"}), None), "shop/a") == 3
    refresh_base_summaries(database, world.now)

    assert images(shop, "shop/a") == 3
    assert images(shop, "web/a") == 2


@pytest.mark.parametrize("sort", BASE_SORTS)
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_every_order_is_that_of_all_bases(
    database: Database, sort: str, order: str
) -> None:
    rnd = random.Random(3)  # noqa: S311 - no secret
    known = random_bases(database, rnd, T0)
    world = World(database)
    for tag in range(12):
        world.crawl({f"{tag}": an_image([a_layer(tag, rnd.randrange(1, 9))])})
    stand_somewhere(known, rnd)
    refresh_base_summaries(database, T0)

    with database.read() as connection:
        seen = seen_bases(connection, {world.repository_id}, T0)
        query = BaseQuery(sort=sort, order=order)
        every = base_page(connection, query).items
        whole = page_of_seen(seen, query).items
        some: list[BaseReport] = []
        pages = replace(query, limit=1)
        while True:
            page = page_of_seen(seen, pages)
            some += page.items
            if page.next_cursor is None:
                break
            pages = replace(pages, cursor=page.next_cursor)

    # Which of several with one value comes first is another matter.
    of_all = [BASE_VALUES[sort](report) for report in every]
    assert [BASE_VALUES[sort](report) for report in whole] == of_all
    assert some == list(whole)
