"""`verify` finds images whose base is not what their layers show, `recount` puts it
right, and what a sweep is still to find is nothing wrong."""

from collections.abc import Callable
from typing import Final

import pytest
from sqlalchemy import ScalarSelect, delete, insert, select, update

from support.bases_and_app import (
    APP,
    BUILT_AT,
    DEBIAN,
    HOUR,
    ON_DEBIAN,
    PYTHON,
    BasesAndApp,
    built,
)
from support.images import a_layer
from weighbridge.domain.image.document import Image
from weighbridge.domain.image.platform import DEFAULT
from weighbridge.store.maintenance.checking.differences import Difference
from weighbridge.store.maintenance.checking.recount import recount
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.models import base_chains, blobs, image_bases
from weighbridge.store.session import Connection, Database

ALONE: Final = built([a_layer("alone")])
LABELLED: Final = built(
    [a_layer("shop")], below=DEBIAN, says="debian:9", at=BUILT_AT + HOUR
)
STRANGER: Final = built([a_layer("far")], says="registry.example/acme/base:1")
_base = image_bases.c


@pytest.fixture
def bases(database: Database) -> BasesAndApp:
    """Two bases, and five images that were there before the second one was."""
    bases = BasesAndApp(database)
    bases.base("library/debian", {"stretch": DEBIAN, "9": DEBIAN})
    bases.app.crawl(
        {"a": APP, "b": ON_DEBIAN, "c": ALONE, "d": LABELLED, "e": STRANGER}
    )
    bases.base("library/python", {"3.6": PYTHON})
    return bases


def found(bases: BasesAndApp) -> list[Difference]:
    return list(verify(bases.database, {}, bases.app.now, lambda *_: None))


def number_of(connection: Connection, image: Image) -> int:
    chosen = select(blobs.c.id).where(blobs.c.digest == image.digest)
    number: int = connection.execute(chosen).scalar_one()
    return number


def test_nothing_is_wrong_before_a_sweep_and_after_it(bases: BasesAndApp) -> None:
    assert found(bases) == []
    bases.sweep()
    assert found(bases) == []
    assert bases.sweep() == 0


def _chain_of(layers: int) -> ScalarSelect[int]:
    chosen = select(base_chains.c.id).where(base_chains.c.layer_count == layers)
    return chosen.scalar_subquery()


def _on_another_base(connection: Connection) -> None:
    connection.execute(
        update(image_bases)
        .where(_base.image_id == number_of(connection, ON_DEBIAN))
        .values(base_chain_id=_chain_of(2))
    )


def _a_relative(connection: Connection) -> None:
    connection.execute(
        update(image_bases)
        .where(_base.image_id == number_of(connection, ON_DEBIAN))
        .values(relation="relative")
    )


def _none(connection: Connection) -> None:
    chosen = _base.image_id == number_of(connection, ON_DEBIAN)
    connection.execute(delete(image_bases).where(chosen))


def _one_too_many(connection: Connection) -> None:
    connection.execute(
        insert(image_bases).values(
            image_id=number_of(connection, ALONE),
            base_chain_id=_chain_of(1),
            relation="base",
            found_by="layers",
        )
    )


_DEBIAN: Final = "library/debian:stretch (base by layers)"


@pytest.mark.parametrize(
    ("plant", "image", "stored", "recounted"),
    [
        (_on_another_base, ON_DEBIAN, "library/python:3.6 (base by layers)", _DEBIAN),
        (
            _a_relative,
            ON_DEBIAN,
            "library/debian:stretch (relative by layers)",
            _DEBIAN,
        ),
        (_none, ON_DEBIAN, None, _DEBIAN),
        (_one_too_many, ALONE, _DEBIAN, None),
    ],
)
def test_a_wrong_base_of_an_image_is_named_and_repaired(
    bases: BasesAndApp,
    plant: Callable[[Connection], None],
    image: Image,
    stored: str | None,
    recounted: str | None,
) -> None:
    bases.sweep()
    with bases.database.write() as connection:
        plant(connection)

    wrong = [
        Difference("image_bases", str(image.digest), "base", stored, recounted),
    ]
    assert found(bases) == wrong
    now, silent = bases.app.now, lambda *_: None
    assert recount(bases.database, "hub", [DEFAULT], now, silent) == wrong
    assert found(bases) == []


def test_images_behind_the_first_slice_are_looked_at(database: Database) -> None:
    bases = BasesAndApp(database)
    bases.base("library/debian", {"stretch": DEBIAN})
    many = [built([a_layer(n)], below=DEBIAN) for n in range(501)]
    bases.app.crawl({f"v{n}": image for n, image in enumerate(many)})
    bases.sweep()
    with database.write() as connection:
        last = select(_base.image_id).order_by(_base.image_id.desc()).limit(1)
        number = connection.execute(last).scalar_one()
        connection.execute(
            update(image_bases)
            .where(_base.image_id == number)
            .values(relation="relative")
        )

    (wrong,) = found(bases)

    assert wrong.table == "image_bases"
    assert wrong.recounted == _DEBIAN
