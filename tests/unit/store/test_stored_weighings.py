"""A weighing from the store is what `inspect` would print."""

import pytest

from support.answering import keep_sizes
from support.images import (
    OCI_INDEX,
    OCI_MANIFEST,
    a_digest,
    a_layer,
    an_artifact_of,
    an_image,
    an_index_of,
)
from support.store_world import World
from weighbridge.domain.image.digest import Digest, short
from weighbridge.domain.image.document import (
    Child,
    Descriptor,
    Image,
    Index,
    Unweighable,
)
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.size.confidence import MeasuredBlob, Uncompressed
from weighbridge.domain.size.weigh_image import weigh_image
from weighbridge.domain.size.weighing import Weighing, rfc3339
from weighbridge.store.reports.weighings import find_weighing
from weighbridge.store.tags.tag_rows import TagFailure

AMD = Platform("linux", "amd64")
ARM = Platform("linux", "arm64")
S390 = Platform("linux", "s390x")
ONE = an_image([a_layer("one", 100)])
TWO = an_image([a_layer("two", 20)], platform=ARM)
THREE = an_image([a_layer("three", 3)], platform=S390)


def weighing(
    world: World,
    tag: str | None = None,
    *,
    digest: Digest | None = None,
    platform: Platform | None = None,
    all_platforms: bool = False,
    repository: str = "acme/app",
) -> Weighing | None:
    with world.database.read() as connection:
        return find_weighing(
            connection,
            "hub",
            repository,
            tag=tag,
            digest=digest,
            platform=platform,
            all_platforms=all_platforms,
            now=world.now,
        )


def must_weigh(
    world: World,
    tag: str | None = None,
    *,
    digest: Digest | None = None,
    platform: Platform | None = None,
    all_platforms: bool = False,
) -> Weighing:
    found = weighing(
        world, tag, digest=digest, platform=platform, all_platforms=all_platforms
    )
    assert found is not None
    return found


def platforms_shown(found: Weighing) -> list[Platform]:
    return [image.platform for image in found.images]


def test_an_image_is_weighed_with_what_is_measured(world: World) -> None:
    image = an_image([a_layer("base", 100), a_layer("app", 20)])
    world.crawl({"1.0": image})
    size = Uncompressed("trailer", 300, 300, 300)
    with world.database.write() as connection:
        sizes = {a_digest("base"): size}
        keep_sizes(connection, world.scope_id, sizes, world.now)

    found = must_weigh(world, "1.0")

    assert found.reference == "hub/acme/app:1.0"
    assert (found.kind, found.digest) == ("image", image.digest)
    assert found.media_type == OCI_MANIFEST
    assert found.images == (
        weigh_image(image, {a_digest("base"): MeasuredBlob(100, size)}),
    )
    assert (found.platforms, found.others, found.cost) == ((AMD,), (), None)
    assert found.warnings == ()


def test_an_index_shows_its_headline_image_unless_all_are_asked_for(
    world: World,
) -> None:
    world.keep(ONE, TWO, THREE)
    world.crawl({"latest": an_index_of(THREE, TWO, ONE)})

    found = must_weigh(world)
    everything = must_weigh(world, "latest", all_platforms=True)

    assert (found.kind, found.tag) == ("index", "latest")
    assert platforms_shown(found) == [AMD]
    assert found.platforms == (AMD, ARM, S390)
    assert platforms_shown(everything) == [AMD, ARM, S390]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_second_image_of_one_platform_is_shown(world: World) -> None:
    second = an_image([a_layer("second", 999)])
    world.keep(ONE, second)
    world.crawl({"latest": an_index_of(ONE, second)})

    found = must_weigh(world, "latest", all_platforms=True)

    assert [image.digest for image in found.images] == [ONE.digest]
    assert [(other.role, other.digest) for other in found.others] == [
        ("image", second.digest)
    ]
    assert short(ONE.digest) in found.warnings[0]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_the_platform_is_what_the_index_says(world: World) -> None:
    entry = Child(
        Descriptor(OCI_MANIFEST, TWO.digest, TWO.manifest.manifest_bytes, platform=AMD),
        "image",
    )
    world.keep(TWO)
    world.crawl({"latest": an_index_of(others=[entry])})

    found = must_weigh(world)

    assert platforms_shown(found) == [AMD]
    assert "its config says linux/arm64" in found.warnings[0]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_one_platform_may_be_asked_for(world: World) -> None:
    world.keep(ONE, TWO)
    world.crawl({"latest": an_index_of(ONE, TWO)})

    found = must_weigh(world, "latest", platform=ARM)

    assert platforms_shown(found) == [ARM]
    assert found.platforms == (AMD, ARM)
    assert found.warnings == ()


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_platform_that_is_not_there_is_said(world: World) -> None:
    world.crawl({"latest": ONE})

    found = must_weigh(world, "latest", platform=ARM)

    assert found.images == ()
    assert any(
        "linux/arm64" in text and "linux/amd64" in text for text in found.warnings
    )


def test_images_of_a_nested_index_are_found(world: World) -> None:
    inner = an_index_of(ONE, TWO)
    entry = Child(Descriptor(OCI_INDEX, inner.digest, inner.manifest_bytes), "index")
    world.keep(ONE, TWO, inner)
    world.crawl({"latest": Index(a_digest("outer"), OCI_INDEX, 300, (entry,))})

    assert must_weigh(world, "latest").platforms == (AMD, ARM)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_attestations_are_others_and_never_platforms(world: World) -> None:
    attestation = an_artifact_of(a_layer("statement", 40))
    unread = a_digest("unread")
    entries = [
        Child(Descriptor(OCI_MANIFEST, attestation.digest, 500), "attestation"),
        Child(Descriptor(OCI_MANIFEST, unread, 77), "artifact"),
    ]
    world.keep(ONE, attestation)
    world.crawl({"latest": an_index_of(ONE, others=entries)})

    found = must_weigh(world, "latest", all_platforms=True)

    assert platforms_shown(found) == [AMD]
    others = [(o.digest, o.role, o.stored_bytes) for o in found.others]
    assert others == [
        (attestation.digest, "attestation", attestation.stored_bytes),
        (unread, "artifact", 77),
    ]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_missing_child_is_a_warning_and_still_a_platform(world: World) -> None:
    index = an_index_of(ONE, TWO)
    world.keep(ONE, index, missing={TWO.digest: "not_found"})
    world.crawl({"latest": index})

    found = must_weigh(world, "latest", all_platforms=True)

    assert platforms_shown(found) == [AMD]
    assert found.platforms == (AMD, ARM)
    (warning,) = found.warnings
    assert "linux/arm64" in warning
    assert "not_found" in warning
    assert short(TWO.digest) in warning


def test_a_stale_tag_says_since_when_and_why(world: World) -> None:
    world.crawl({"latest": ONE})
    world.crawl(failures=[TagFailure("latest", "invalid_size", "negative size", None)])

    found = must_weigh(world, "latest")

    (warning,) = found.warnings
    assert found.digest == ONE.digest
    assert str(rfc3339(world.now)) in warning
    assert "invalid_size" in warning
    assert "negative size" in warning


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_tag_that_is_gone_is_weighed_with_a_warning(world: World) -> None:
    world.crawl({"old": ONE})
    world.crawl(deleted=["old"])

    (warning,) = must_weigh(world, "old").warnings

    assert str(rfc3339(world.now)) in warning


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_digest_is_weighed_without_a_tag(world: World) -> None:
    world.keep(ONE)
    world.crawl({"latest": an_index_of(ONE)})

    found = must_weigh(world, digest=ONE.digest)

    assert (found.tag, found.kind) == (None, "image")
    assert found.reference == f"hub/acme/app@{ONE.digest}"
    assert found.warnings == ()


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_digest_that_no_tag_leads_to_any_more_says_so(world: World) -> None:
    world.crawl({"latest": ONE})
    world.crawl({"latest": TWO})

    found = must_weigh(world, digest=ONE.digest)

    assert len(found.warnings) == 1


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_digest_of_another_repository_is_not_shown(world: World) -> None:
    other = World(world.database, repository="secret", now=world.now)
    other.crawl({"latest": ONE})
    world.crawl({"latest": TWO})

    assert weighing(world, digest=ONE.digest) is None
    assert weighing(world, digest=ONE.digest, repository="secret") is not None


@pytest.mark.long_on("postgresql")  # the rest of this file has it
@pytest.mark.parametrize(
    ("repository", "tag"), [("acme/app", "unknown"), ("unknown", "latest")]
)
def test_what_is_not_known_is_not_found(
    world: World, repository: str, tag: str
) -> None:
    world.crawl({"latest": ONE})

    assert weighing(world, tag, repository=repository) is None
    assert weighing(world, digest=a_digest("unknown"), repository=repository) is None


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_tag_that_was_never_read_is_not_found(world: World) -> None:
    world.crawl(failures=[TagFailure("bad", "timeout", "10 s", None)])

    assert weighing(world, "bad") is None


@pytest.mark.long_on("postgresql")  # the rest of this file has it
@pytest.mark.parametrize("kind", ["artifact", "unweighable"])
def test_what_is_no_image_has_a_kind_and_no_images(world: World, kind: str) -> None:
    chart = an_artifact_of(a_layer("chart", 70))
    old = Unweighable(a_digest("old"), "application/x", 700, "schema1")
    world.crawl({"artifact": chart, "unweighable": old})

    found = must_weigh(world, kind)

    assert (found.kind, found.images, found.platforms) == (kind, (), ())


def test_a_disputed_size_is_a_warning_and_each_image_has_its_own(world: World) -> None:
    honest = an_image([a_layer("shared", 1000)])
    liar = an_image([a_layer("shared", 1), a_layer("own", 5)])
    world.crawl({"honest": honest})
    world.crawl({"liar": liar})

    lying, true = must_weigh(world, "liar"), must_weigh(world, "honest")

    assert lying.images[0].compressed_bytes == 6
    assert world.tags()["liar"].compressed_bytes == 6
    assert true.images[0].compressed_bytes == 1000
    assert any(short(a_digest("shared")) in text for text in lying.warnings)
    assert any(short(a_digest("shared")) in text for text in true.warnings)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_the_same_platform_twice_counts_as_the_first(world: World) -> None:
    first: Image = an_image([a_layer("first", 1)])
    second = an_image([a_layer("second", 2)])
    world.keep(first, second)
    world.crawl({"latest": an_index_of(first, second)})

    found = must_weigh(world, "latest", all_platforms=True)

    assert [image.digest for image in found.images] == [first.digest]
