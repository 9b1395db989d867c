"""Two hundred thousand images on thousands of bases: what is shown of them is found by
indexes, and what is counted is all of them."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, func, select

from support.many_on_bases import BUILDS, TAGS, stand_on_bases
from support.plans import asked_by, read_whole
from support.store_world import T0
from weighbridge.store.models import base_summaries
from weighbridge.store.read_model.base_summaries import refresh_base_summaries
from weighbridge.store.reports.base_images import BaseImageQuery, base_image_page
from weighbridge.store.reports.bases import (
    BaseQuery,
    base_page,
    base_totals,
    find_base,
    heaviest_bases,
)
from weighbridge.store.session import Database, open_database

pytestmark = pytest.mark.timeout(3_600)

IMAGES = 200_000
ALL_BUILDS = 4_800
# Those of bases themselves have some thousand rows, whatever stands on them.
OF_THE_FLEET = frozenset(
    {
        "blobs",
        "image_bases",
        "images",
        "repositories",
        "repository_manifests",
        "repository_summaries",
        "tags",
    }
)
COMMON = "library/base-1:stretch"


@pytest.fixture(scope="module")
def fleet(database_url: str) -> Iterator[Database]:
    database = open_database(database_url)
    try:
        stand_on_bases(database, IMAGES, ALL_BUILDS)
        refresh_base_summaries(database, T0)
        yield database
    finally:
        database.close()


def every_image(connection: Connection, outdated: bool | None = None) -> object:
    base = find_base(connection, COMMON, T0)
    assert base is not None
    return base_image_page(connection, base, BaseImageQuery(outdated))


def second_page(connection: Connection) -> object:
    base = find_base(connection, COMMON, T0)
    assert base is not None
    first = base_image_page(connection, base, BaseImageQuery())
    assert first.next_cursor is not None
    return base_image_page(connection, base, BaseImageQuery(cursor=first.next_cursor))


ASKS: dict[str, Callable[[Connection], object]] = {
    "list": lambda c: base_page(c, BaseQuery()),
    "outdated": lambda c: base_page(c, BaseQuery(outdated=True, sort="rebuild")),
    "totals": base_totals,
    "metrics": lambda c: heaviest_bases(c, 50),
    "one": every_image,
    "one, outdated": lambda c: every_image(c, outdated=True),
    "one, current": lambda c: every_image(c, outdated=False),
    "one, second page": second_page,
}


@pytest.mark.parametrize("name", ASKS)
def test_what_is_shown_of_bases_reads_no_table_of_the_fleet_as_a_whole(
    fleet: Database, name: str
) -> None:
    asked = asked_by(fleet, ASKS[name])

    assert asked
    assert read_whole(asked, OF_THE_FLEET) == []


def test_every_image_is_counted_on_one_base(fleet: Database) -> None:
    with fleet.read() as connection:
        images, newest, outdated = connection.execute(
            select(
                func.sum(base_summaries.c.image_count),
                func.sum(base_summaries.c.newest_count),
                func.max(base_summaries.c.outdated_image_count),
            )
        ).one()

    assert int(images) == IMAGES
    assert int(newest) == IMAGES // TAGS
    assert outdated > IMAGES * 2 // 5  # all on the first build, and some more
    assert ALL_BUILDS % BUILDS == 0
