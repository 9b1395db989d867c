"""Sizes of images by a registry's own API, held against the registry's word."""

from collections.abc import Mapping

import pytest
from sqlalchemy import select

from support.answering import answer
from support.images import a_digest, a_layer, an_image
from support.ledger_world import Fleet
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Image
from weighbridge.domain.report.inventory import DisputeReport
from weighbridge.domain.size.confidence import MeasuredBlob, Uncompressed
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.models import repositories
from weighbridge.store.reports.disputes import DisputeQuery, dispute_page
from weighbridge.store.session import Database
from weighbridge.store.sizes.blob_sizes import find_listed, keep_listed

NAME = "one/shop"
IMAGE = an_image([a_layer("base", 1_000), a_layer("app", 50)])
DIGEST = IMAGE.digest
CONFIG_BYTES = IMAGE.manifest.config.content_bytes
TRUE = {"base": 1_000, "app": 50}


@pytest.fixture
def fleet(database: Database) -> Fleet:
    return Fleet(database, names=(NAME,))


def scope_of(fleet: Fleet) -> int:
    with fleet.database.read() as connection:
        found: int = connection.execute(select(repositories.c.scope_id)).scalar_one()
    return found


def push(fleet: Fleet, image: Image, lengths: Mapping[str, int | None]) -> None:
    """With the registry's word on these layers; None: it gave no length."""
    fleet.keep(image)
    fleet.push(NAME, latest=image)
    settle_all(fleet.database)
    unread = Uncompressed("unknown", None, None, None, "range_unsupported")
    answers: dict[Digest, MeasuredBlob | None] = {
        a_digest(name): MeasuredBlob(length, unread, "" if length else "no_length")
        for name, length in lengths.items()
    }
    answer(fleet.database, scope_of(fleet), answers, fleet.now)
    settle_all(fleet.database)


def compare(fleet: Fleet, size: int, image: Image = IMAGE) -> int | None:
    """How many false sizes are learned of; None: nothing is to be written."""
    scope, sizes = scope_of(fleet), {image.digest: size}
    with fleet.database.read() as connection:
        if not any(find_listed(connection, scope, sizes)):
            return None
    with fleet.database.write() as connection:
        return keep_listed(connection, scope, sizes, fleet.now)


def disputed(fleet: Fleet) -> list[DisputeReport]:
    with fleet.database.read() as connection:
        return list(dispute_page(connection, DisputeQuery()).items)


def test_a_false_size_of_a_listing_is_kept_once_with_both_figures(
    fleet: Fleet,
) -> None:
    push(fleet, IMAGE, TRUE)

    assert compare(fleet, 25) == 1

    (found,) = disputed(fleet)
    assert (found.source, found.image, found.digest) == ("bulk", DIGEST, DIGEST)
    assert (found.claimed_bytes, found.registry_bytes) == (25, 1_050)
    assert found.tags == ("latest",)
    assert compare(fleet, 25) is None
    assert compare(fleet, 26) is None, "the first false size stays"


@pytest.mark.parametrize("size", [1_050, 1_050 + CONFIG_BYTES])
def test_a_size_of_the_layers_with_or_without_the_config_is_not_disputed(
    fleet: Fleet, size: int
) -> None:
    push(fleet, IMAGE, TRUE)

    assert compare(fleet, size) is None


def test_a_layer_that_is_named_twice_may_count_twice_in_a_listing(
    fleet: Fleet,
) -> None:
    image = an_image([a_layer("base", 1_000), a_layer("app", 50), a_layer("app", 50)])
    push(fleet, image, TRUE)

    assert compare(fleet, 1_100, image) is None
    assert compare(fleet, 1_050, image) is None
    assert compare(fleet, 1_150, image) == 1


@pytest.mark.parametrize("app", [None, 50])
def test_a_listing_is_compared_once_the_registry_has_answered_for_all_layers(
    fleet: Fleet, app: int | None
) -> None:
    push(fleet, IMAGE, {"base": 1_000})
    assert compare(fleet, 25) is None

    push(fleet, IMAGE, {"app": app})

    assert compare(fleet, 25) == (None if app is None else 1)


def test_a_listing_that_repeats_a_manifests_lie_is_disputed_like_it(
    fleet: Fleet,
) -> None:
    push(fleet, IMAGE, {"base": 1_000, "app": 90_000})

    assert compare(fleet, 1_050) == 1

    found = {d.source: (d.claimed_bytes, d.registry_bytes) for d in disputed(fleet)}
    assert found == {"manifest": (50, 90_000), "bulk": (1_050, 91_000)}


def test_a_listing_that_is_right_again_is_not_disputed_any_more(fleet: Fleet) -> None:
    push(fleet, IMAGE, TRUE)
    assert compare(fleet, 25) == 1

    assert compare(fleet, 1_050) == 0

    assert disputed(fleet) == []
    assert compare(fleet, 1_050) is None


def test_an_image_with_a_foreign_layer_is_not_compared(fleet: Fleet) -> None:
    image = an_image([a_layer("base", 1_000), a_layer("app", 50, is_foreign=True)])
    push(fleet, image, TRUE)

    assert compare(fleet, 1_000, image) is None


def test_images_that_are_not_stored_are_no_news(fleet: Fleet) -> None:
    push(fleet, IMAGE, TRUE)

    with fleet.database.read() as connection:
        found = find_listed(connection, scope_of(fleet), {a_digest("else"): 5})

    assert not any(found)
