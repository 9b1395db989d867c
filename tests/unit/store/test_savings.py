"""What slimmer variants of bases would save."""

import random
from collections.abc import Iterable

import pytest

from support.images import a_layer
from support.seeds import seeds
from support.slim_bases import SlimBases
from support.statements import counted
from support.store_world import MINUTE, World, a_result
from weighbridge.domain.base.savings import Saving
from weighbridge.domain.image.document import Image, Layer
from weighbridge.domain.image.image_base import ImageBase
from weighbridge.domain.image.platform import Platform
from weighbridge.store.reports.savings import find_savings
from weighbridge.store.session import Database

MB = 1_000_000
ARM = Platform("linux", "arm64")
FULL = [a_layer("debian", 45 * MB), a_layer("compilers", 270 * MB)]
SLIM = [a_layer("debian-slim", 22 * MB), a_layer("python", 28 * MB)]
ALPINE = [a_layer("alpine", 2 * MB), a_layer("python musl", 29 * MB)]
OWN = a_layer("own", 14 * MB)


@pytest.fixture
def bases(world: World) -> SlimBases:
    """python:3.7 with both of its variants, and others that are none of it."""
    found = SlimBases(world)
    found.base("full", FULL, "library/python:3.7", "library/python:3.7.16")
    found.base("slim", SLIM, "library/python:3.7-slim", "library/python:slim")
    found.base("alpine", ALPINE, "library/python:3.7-alpine")
    found.base("other", ALPINE[:1], "library/python:3.8-slim", "acme/python:3.7-slim")
    return found


def the_base(image: Image, reference: str = "library/python:3.7") -> ImageBase:
    return ImageBase(
        reference=reference,
        also=(),
        layers=len(image.layers),
        compressed_bytes=image.compressed_bytes,
        share=None,
        relation="base",
        found_by="layers",
    )


def savings(
    bases: SlimBases,
    build: str = "full",
    reference: str = "library/python:3.7",
    in_part: Iterable[str] = (),
) -> list[Saving]:
    base = the_base(bases.images[build], reference)
    with bases.world.database.read() as connection:
        number = bases.known.ids[build]
        return find_savings(connection, {number: base}, set(in_part))[number]


def variants(found: list[Saving]) -> dict[str, int]:
    return {saving.variant.reference: saving.saved_bytes for saving in found}


def test_the_variants_of_a_base_are_found_by_their_names(bases: SlimBases) -> None:
    found = savings(bases)

    assert variants(found) == {
        "library/python:3.7-alpine": 284 * MB,
        "library/python:3.7-slim": 265 * MB,
    }
    assert [saving.variant.kind for saving in found] == ["alpine", "slim"]
    assert found[0].variant.seen_at == bases.world.now


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_the_slim_variant_is_a_base_with_a_variant_too(bases: SlimBases) -> None:
    found = savings(bases, "slim", "library/python:3.7-slim")

    assert variants(found) == {"library/python:3.7-alpine": 19 * MB}


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_variant_of_another_platform_is_none(bases: SlimBases) -> None:
    bases.base("arm", FULL, "library/node:8", platform=ARM)
    bases.base("amd", SLIM, "library/node:8-slim")

    assert savings(bases, "arm", "library/node:8") == []


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_variant_that_its_tag_has_left_is_none(bases: SlimBases) -> None:
    name = "library/node:8-slim"
    bases.base("node", FULL, "library/node:8")
    bases.base("old", SLIM, name, left_at={name: bases.world.now + MINUTE})

    assert savings(bases, "node", "library/node:8") == []


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_base_that_its_tag_has_left_has_the_variants_of_its_name(
    bases: SlimBases,
) -> None:
    name = "library/python:3.7"
    bases.base("old", FULL[1:], name, left_at={name: bases.world.now + MINUTE})

    assert len(savings(bases, "old")) == 2


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_what_latest_was_once_has_not_the_variants_of_what_it_is(
    bases: SlimBases,
) -> None:
    """They are of another version, whatever else the old build is called."""
    left_at = dict.fromkeys(
        ("library/node:latest", "library/node:8"), bases.world.now + MINUTE
    )
    bases.base("old", FULL, *left_at, left_at=left_at)
    bases.base("new", SLIM, "library/node:slim", "library/node:9-slim")

    assert savings(bases, "old", "library/node:8") == []
    assert savings(bases, "old", "library/node:latest") == []


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_another_name_of_the_base_finds_what_the_first_has_not(
    bases: SlimBases,
) -> None:
    bases.base("node", FULL, "library/node:8", "library/node:carbon")
    bases.base("node-slim", SLIM, "library/node:carbon-slim")

    (saving,) = savings(bases, "node", "library/node:8")

    assert saving.saved_bytes == 265 * MB
    assert saving.patch == "-FROM node:carbon\n+FROM node:carbon-slim"


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_heavier_variant_is_left_out(bases: SlimBases) -> None:
    bases.base("scratch", ALPINE, "library/traefik:1.5")
    bases.base("heavier", SLIM, "library/traefik:1.5-alpine")

    assert savings(bases, "scratch", "library/traefik:1.5") == []


def test_the_fleet_stores_a_layer_once_whoever_has_it(bases: SlimBases) -> None:
    children = [bases.child("full", [a_layer(("own", n), MB)]) for n in range(3)]
    bases.world.crawl({str(n): child for n, child in enumerate(children)})

    alpine, _ = savings(bases)

    assert alpine.fleet is not None
    assert (alpine.fleet.images, alpine.fleet.repositories) == (3, 1)
    # 315 MB of the base leave, once; 31 MB of the variant come, once.
    assert alpine.fleet.stored_bytes == 284 * MB


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_what_others_have_too_does_not_leave(bases: SlimBases) -> None:
    child = bases.child("full", [OWN])
    bases.world.crawl({"child": child, "base": bases.images["full"]})

    alpine, _ = savings(bases)

    assert alpine.fleet is not None
    assert alpine.fleet.stored_bytes == 0


def test_what_is_there_already_does_not_come(bases: SlimBases) -> None:
    child = bases.child("full", [OWN])
    bases.world.crawl({"child": child, "base": bases.images["alpine"]})

    alpine, _ = savings(bases)

    assert alpine.fleet is not None
    assert alpine.fleet.stored_bytes == 315 * MB


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_base_without_images_saves_nobody_anything(bases: SlimBases) -> None:
    bases.child("full", [OWN])

    alpine, _ = savings(bases)

    assert alpine.fleet is not None
    assert (alpine.fleet.images, alpine.fleet.stored_bytes) == (0, 0)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_storage_of_what_was_not_seen_whole_is_not_known(bases: SlimBases) -> None:
    """What is not seen may have the layers too. The savings of one pull stay."""
    child = bases.child("full", [OWN])
    bases.world.crawl({"child": child})
    left_out = savings(bases, in_part=["hub"])
    bases.world.crawl(result=a_result(complete=False, state="partial"))

    for found in (left_out, savings(bases)):
        assert [each.saved_bytes for each in found] == [284 * MB, 265 * MB]
        assert [each.fleet and each.fleet.images for each in found] == [1, 1]
        assert [each.fleet and each.fleet.stored_bytes for each in found] == [
            None,
            None,
        ]


def test_savings_cost_as_many_statements_however_many_images_there_are(
    bases: SlimBases,
) -> None:
    counts = []
    for crowd in (1, 20):
        children = [bases.child("full", [a_layer((crowd, n))]) for n in range(crowd)]
        bases.world.crawl({f"{crowd}-{n}": i for n, i in enumerate(children)})
        with counted() as made:
            savings(bases)
        counts.append(len(made))

    assert counts[0] == counts[1] <= 12


@pytest.mark.parametrize("seed", seeds(200, 4, quick=2))
def test_the_fleet_saves_what_storing_it_anew_would_save(
    database: Database, seed: int
) -> None:
    """And no layer is counted twice: all bases together save no more than is stored."""
    rnd = random.Random(seed)  # noqa: S311 - no secret
    worlds = [World(database, repository=f"acme/{n}") for n in range(3)]
    bases = SlimBases(worlds[0])
    pool = [a_layer(("shared", n), rnd.randrange(1, 400)) for n in range(5)]
    for name in ("a", "b"):
        layers = [*rnd.sample(pool, 2), a_layer((name, "full"), 500)]
        bases.base(f"{name} full", layers, f"library/{name}:1")
        layers = [*rnd.sample(pool, 1), a_layer((name, "slim"), rnd.randrange(1, 500))]
        bases.base(f"{name} slim", layers, f"library/{name}:1-slim")
    standing: dict[str, list[Image]] = {"a": [], "b": []}
    for n in range(rnd.randrange(1, 6)):
        name = rnd.choice("ab")
        own = [a_layer(("own", n), rnd.randrange(1, 100))]
        standing[name].append(bases.child(f"{name} full", own))
    others = [
        bases.images[f"{name} {kind}"] for name in "ab" for kind in ("full", "slim")
    ]
    held: list[Image] = []
    for world in worlds:
        every = [*standing["a"], *standing["b"], *others]
        chosen = rnd.sample(every, rnd.randrange(1, len(every)))
        world.crawl({str(n): image for n, image in enumerate(chosen)})
        held += chosen

    total = 0
    for name in "ab":
        base, slim = bases.images[f"{name} full"], bases.images[f"{name} slim"]
        for saving in savings(bases, f"{name} full", f"library/{name}:1"):
            assert saving.fleet is not None
            assert saving.fleet.stored_bytes is not None
            after = [
                moved(image, base, slim) if image in standing[name] else image.layers
                for image in held
            ]
            less = stored(i.layers for i in held) - stored(after)
            on_it = {i.digest for i in held if i in standing[name]}
            assert saving.fleet.images == len(on_it)
            assert saving.fleet.stored_bytes == max(0, less)
            total += saving.fleet.stored_bytes
    assert total <= stored(image.layers for image in held)


def moved(image: Image, base: Image, slim: Image) -> tuple[Layer, ...]:
    return (*slim.layers, *image.layers[len(base.layers) :])


def stored(images: Iterable[Iterable[Layer]]) -> int:
    """Each layer once."""
    return sum({y.digest: y.compressed_bytes for i in images for y in i}.values())
