"""What is known of bases does not depend on what came first, nor on who wrote beside
it."""

import random
import threading
from collections.abc import Callable
from typing import Final

import pytest
from sqlalchemy import select

from support.bases_and_app import (
    BUILT_AT,
    DEBIAN,
    HOUR,
    ON_DEBIAN,
    PYTHON,
    BasesAndApp,
    built,
)
from support.images import a_layer, an_image, an_index_of
from support.seeds import seeds
from support.store_world import World
from weighbridge.domain.image.document import Image
from weighbridge.domain.image.image_base import BaseInWords
from weighbridge.domain.image.platform import Platform
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.models import base_names
from weighbridge.store.session import Database
from weighbridge.store.tags.applying import Move, apply_moves

NEWER: Final = built([a_layer("newer", 30_000)], 'CMD ["bash"]', at=BUILT_AT + HOUR)
SLIM: Final = built([a_layer("slim", 20_000)])
LONG_ENOUGH_S: Final = 0.5
"""For a transaction that waits for nobody."""


def led_to(database: Database) -> set[tuple[str, str]]:
    """Tags with the images of bases that they lead to."""
    name = base_names.c
    statement = select(name.tag, name.digest).where(name.left_at.is_(None))
    with database.read() as connection:
        return {(row.tag, row.digest) for row in connection.execute(statement)}


def test_a_tag_that_was_deleted_while_its_repository_was_no_base_leads_nowhere(
    database: Database,
) -> None:
    bases = BasesAndApp(database)
    bases.base("library/debian", {"stretch": DEBIAN, "9": DEBIAN})
    bases.mark(is_base=False)
    bases.base("library/debian", {"9": NEWER}, deleted=["stretch"], is_marked=False)
    assert led_to(database) == {("stretch", DEBIAN.digest), ("9", DEBIAN.digest)}

    bases.mark()
    bases.sweep()

    assert led_to(database) == {("9", NEWER.digest)}


@pytest.mark.only_on("postgresql")
def test_a_tag_that_moves_while_those_of_a_new_base_are_noted_leads_where_it_moved(
    database: Database,
) -> None:
    bases = BasesAndApp(database)
    bases.base("library/debian", {"stretch": DEBIAN}, is_marked=False)
    debian = World(database, repository="library/debian", now=bases.app.now)
    bases.mark()
    sweeping = threading.Thread(target=bases.sweep)

    with database.write() as connection:
        claim = debian.claimed(connection)
        keep_documents(connection, [NEWER], {})
        move = Move("stretch", NEWER.digest, None)
        apply_moves(connection, claim, [move], debian.now)
        sweeping.start()
        sweeping.join(LONG_ENOUGH_S)
        has_waited = sweeping.is_alive()
    sweeping.join(20)

    assert has_waited
    assert led_to(database) == {("stretch", NEWER.digest)}


@pytest.mark.parametrize("is_swept_before", [True, False])
def test_a_tag_leads_to_images_of_its_index_that_become_known_later(
    database: Database, *, is_swept_before: bool
) -> None:
    bases = BasesAndApp(database)
    arm = an_image([a_layer("arm", 30_000)], platform=Platform("linux", "arm64"))
    index = an_index_of(DEBIAN, arm)
    with database.write() as connection:
        keep_documents(connection, [DEBIAN, index], {arm.digest: "not_found"})
    bases.base("library/debian", {"9": index})
    if is_swept_before:
        bases.sweep()
    assert led_to(database) == {("9", DEBIAN.digest)}

    bases.app.crawl({"a": arm})
    bases.sweep()

    assert led_to(database) == {("9", DEBIAN.digest), ("9", arm.digest)}


LIAR: Final = built([a_layer("a")], below=DEBIAN, says="python:3-slim")
BARE_LIAR: Final = built([a_layer("b", 3_000)], says="python:3-slim")
BY_DIGEST: Final = built([a_layer("c", 3_000)], digest=SLIM.digest)
IN_BETWEEN: Final = built([a_layer("d")], below=PYTHON, says="python:3.6")
IMAGES: Final = (ON_DEBIAN, LIAR, BARE_LIAR, BY_DIGEST, IN_BETWEEN)


def test_a_claim_that_the_layers_contradict_ends_once_its_base_is_known(
    database: Database,
) -> None:
    bases = BasesAndApp(database)
    bases.base("library/debian", {"stretch": DEBIAN})
    before = [bases.push(image) for image in (LIAR, BARE_LIAR)]

    bases.base("library/python", {"3-slim": SLIM})
    bases.app.crawl({"a": LIAR, "b": BARE_LIAR, "c": BY_DIGEST})
    bases.sweep()

    assert before == [
        BaseInWords("library/debian:stretch", (), 1, "base", "layers"),
        BaseInWords("library/python:3-slim", (), None, "base", "annotation"),
    ]
    of_debian = BaseInWords("library/debian:stretch", (), 1, "base", "layers")
    assert [bases.base_of(i) for i in (LIAR, BARE_LIAR)] == [of_debian, None]


def test_a_new_name_of_a_base_is_held_against_what_annotations_say(
    database: Database,
) -> None:
    bases = BasesAndApp(database)
    bases.base("library/debian", {"stretch": DEBIAN})
    image = built([a_layer("e")], below=DEBIAN, says="debian:9")
    assert bases.push(image) == BaseInWords(
        "library/debian:stretch", (), 1, "base", "layers"
    )
    bases.sweep()

    bases.base("library/debian", {"9": DEBIAN})
    bases.sweep()

    also = ("library/debian:stretch",)
    assert bases.base_of(image) == BaseInWords(
        "library/debian:9", also, 1, "base", "annotation"
    )


@pytest.mark.long_on("postgresql")
@pytest.mark.parametrize("seed", seeds(700, 12, quick=3))
def test_the_same_facts_in_any_order_give_the_same_bases(
    database: Database, seed: int
) -> None:
    rnd = random.Random(seed)  # noqa: S311 - no secret
    bases = BasesAndApp(database)

    def base(name: str, tag: str, image: Image) -> Callable[[], object]:
        return lambda: bases.base(name, {tag: image})

    def app(number: int, image: Image) -> Callable[[], object]:
        return lambda: bases.app.crawl({f"v{number}": image})

    steps = [app(n, image) for n, image in enumerate(IMAGES)]
    steps += [
        base("library/debian", "stretch", DEBIAN),
        base("library/python", "3.6", PYTHON),
        base("library/python", "3-slim", SLIM),
        bases.sweep,
        bases.sweep,
    ]
    rnd.shuffle(steps)
    for step in steps:
        step()
    bases.sweep()

    stretch = BaseInWords("library/debian:stretch", (), 1, "base", "layers")
    assert [bases.base_of(image) for image in IMAGES] == [
        stretch,
        stretch,
        None,
        None,
        BaseInWords("library/python:3.6", (), 2, "base", "annotation"),
    ]
