"""The demo's year: the figures it promises, and documents that our parsers accept."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import pytest

from weighbridge.demo.content.stored_documents import RegistryContent, Served
from weighbridge.demo.content.virtual_blobs import Blob
from weighbridge.demo.story import demo_content, demo_steps
from weighbridge.domain.image.digest import Digest, digest_of
from weighbridge.domain.image.document import (
    Artifact,
    Image,
    Index,
    Layer,
    Manifest,
    ParsedManifest,
)
from weighbridge.domain.image.image_config import build_image, parse_config
from weighbridge.domain.image.manifest import parse_manifest
from weighbridge.domain.size.confidence import BlobContent as Shown
from weighbridge.domain.size.confidence import MeasuredBlob, Uncompressed
from weighbridge.domain.size.weigh_image import uncompressed_size
from weighbridge.domain.size.weighing import measuring


@dataclass(frozen=True, slots=True)
class Held:
    """One manifest of the demo, with where it is."""

    repository: str
    served: Served
    parsed: ParsedManifest


def every_manifest(content: RegistryContent) -> Iterator[Held]:
    for repository in content.repositories():
        waiting = list(content.tags(repository) or ())
        while waiting:
            held = the_manifest(content, repository, waiting.pop())
            yield held
            if isinstance(held.parsed, Index):
                waiting += [child.descriptor.digest for child in held.parsed.children]


def the_manifest(content: RegistryContent, repository: str, reference: str) -> Held:
    served = content.manifest(repository, reference)
    assert served is not None, f"{repository} {reference}"
    parsed = parse_manifest(served.content, served.media_type, served.digest)
    return Held(repository, served, parsed)


def the_blob(content: RegistryContent, repository: str, digest: Digest) -> Blob:
    blob = content.blob(repository, digest)
    assert blob is not None, f"{repository} {digest}"
    return blob


def the_image(content: RegistryContent, held: Held) -> Image:
    assert isinstance(held.parsed, Manifest)
    blob = the_blob(content, held.repository, held.parsed.config.digest)
    raw = blob.read(0, blob.content_bytes - 1)
    return build_image(held.parsed, parse_config(raw, held.parsed.config.digest))


def an_image(repository: str, tag: str, platform: str = "linux/amd64") -> Image:
    """One image of the last moment."""
    content = demo_content()
    held = the_manifest(content, repository, tag)
    if isinstance(held.parsed, Index):
        child = next(
            child
            for child in held.parsed.children
            if str(child.descriptor.platform) == platform
        )
        held = the_manifest(content, repository, child.descriptor.digest)
    return the_image(content, held)


def uncompressed_bytes(repository: str, image: Image) -> int:
    content = demo_content()
    return sum(
        the_blob(content, repository, layer.digest).uncompressed_bytes
        for layer in image.layers
    )


def test_there_are_a_dozen_repositories() -> None:
    names = demo_content().repositories()

    assert 12 <= len(names) <= 16
    assert list(names) == sorted(names)
    assert {"library/python", "shop/api", "tutorial/hello", "ml/notebook"} <= set(names)


@pytest.mark.parametrize("step", range(6))
def test_our_parsers_accept_every_document(step: int) -> None:
    content = demo_content(step)

    for held in every_manifest(content):
        assert digest_of(held.served.content) == held.served.digest
        if isinstance(held.parsed, Manifest):
            image = the_image(content, held)
            assert image.problems == ()
            assert image.history_alignment == "exact"
            assert len(image.diff_ids) == len(image.layers)


def test_every_blob_is_there_and_as_large_as_its_descriptor_says() -> None:
    content = demo_content()

    for held in every_manifest(content):
        if isinstance(held.parsed, Manifest):
            blobs = [
                (layer.digest, layer.compressed_bytes) for layer in held.parsed.layers
            ]
        elif isinstance(held.parsed, Artifact):
            blobs = [(blob.digest, blob.compressed_bytes) for blob in held.parsed.blobs]
        else:
            continue
        for digest, said in blobs:
            assert the_blob(content, held.repository, digest).content_bytes == said


def test_a_small_blob_hashes_to_its_digest() -> None:
    content = demo_content()
    image = an_image("shop/api", "latest")

    small = [layer for layer in image.layers if layer.compressed_bytes <= 64 * 1024]

    assert small
    for layer in small:
        blob = the_blob(content, "shop/api", layer.digest)
        assert digest_of(blob.read(0, blob.content_bytes - 1)) == layer.digest


def test_hello_is_937_mb_on_python_and_107_mb_on_alpine() -> None:
    heavy = an_image("tutorial/hello", "latest")
    light = an_image("tutorial/hello-alpine", "latest")

    assert round(uncompressed_bytes("tutorial/hello", heavy) / 10**6) == 937
    assert round(uncompressed_bytes("tutorial/hello-alpine", light) / 10**6) == 107


def test_python_3_7_weighs_what_it_was_published_with() -> None:
    assert an_image("library/python", "3.7").compressed_bytes == 347_653_336
    assert an_image("library/python", "3.7-slim").compressed_bytes == 46_381_278
    assert an_image("library/python", "3.7-alpine").compressed_bytes == 17_930_437


def test_the_newest_shop_api_grew_by_612_mb_in_one_line() -> None:
    before, after = an_image("shop/api", "1.4.2"), an_image("shop/api", "1.5.0")

    added = [
        (line.instruction, after.layers[line.layer].compressed_bytes)
        for line in after.lines
        if line.layer is not None and after.layers[line.layer] not in before.layers
    ]

    grown = after.compressed_bytes - before.compressed_bytes
    assert 612_000_000 < grown < 613_000_000
    assert max(added, key=lambda pair: pair[1]) == (
        "RUN pip install --no-cache-dir torch==1.13.1",
        612_400_000,
    )


@pytest.mark.parametrize(
    ("repository", "tag", "base"),
    [
        ("shop/api", "latest", "3.7"),
        ("tutorial/hello", "latest", "3.7"),
        ("tutorial/hello-alpine", "latest", "3.7-alpine"),
        ("data/etl", "latest", "3-trixie"),
        ("data/etl", "112", "3.13"),
        ("ml/notebook", "latest", "3-trixie"),
    ],
)
def test_a_service_begins_with_the_layers_of_its_base(
    repository: str, tag: str, base: str
) -> None:
    below = [layer.digest for layer in an_image("library/python", base).layers]

    above = [layer.digest for layer in an_image(repository, tag).layers]

    assert above[: len(below)] == below
    assert len(above) > len(below)


def test_two_tags_name_one_image() -> None:
    content = demo_content()

    assert content.manifest("shop/api", "1.4") == content.manifest("shop/api", "1.4.2")


def test_an_index_has_three_platforms_each_with_its_attestation() -> None:
    held = the_manifest(demo_content(), "library/buildpack-deps", "trixie")

    assert isinstance(held.parsed, Index)
    roles = [child.role for child in held.parsed.children]
    assert roles == ["image"] * 3 + ["attestation"] * 3


@pytest.mark.parametrize(
    ("repository", "tag"), [("library/python", "3"), ("shop/web", "latest")]
)
def test_attestations_of_both_styles_are_told_from_images(
    repository: str, tag: str
) -> None:
    content = demo_content()
    index = the_manifest(content, repository, tag).parsed
    assert isinstance(index, Index)

    found = [
        the_manifest(content, repository, child.descriptor.digest).parsed
        for child in index.children
        if child.role == "attestation"
    ]

    assert found
    assert all(isinstance(one, Artifact) and one.role == "attestation" for one in found)


def test_one_image_is_zstd_and_one_has_a_plain_layer() -> None:
    zstd = [layer.media_type for layer in an_image("ml/notebook", "7.2.0-zstd").layers]
    plain = [layer.media_type for layer in an_image("data/etl", "latest").layers]

    assert sum(media_type.endswith("+zstd") for media_type in zstd) == 4
    assert sum(media_type.endswith(".tar") for media_type in plain) == 1


def test_the_chart_is_no_image() -> None:
    parsed = the_manifest(demo_content(), "shop/charts/api", "0.9.2").parsed

    assert isinstance(parsed, Artifact)
    assert parsed.role == "artifact"


def test_the_six_moments_are_in_order_and_only_three_repositories_move() -> None:
    steps = demo_steps()
    moved = {
        repository
        for (_, before), (_, after) in pairwise(steps)
        for repository in after.repositories()
        if what_tags_name(before, repository) != what_tags_name(after, repository)
    }

    assert [now for now, _ in steps] == sorted(now for now, _ in steps)
    assert len(steps) == 6
    assert moved == {"shop/api", "tutorial/hello", "data/etl"}


def what_tags_name(
    content: RegistryContent, repository: str
) -> list[tuple[str, Served | None]]:
    tags = content.tags(repository) or ()
    return [(tag, content.manifest(repository, tag)) for tag in tags]


def test_what_a_moved_tag_named_stays_under_its_digest() -> None:
    before = demo_content(4).manifest("shop/api", "latest")
    assert before is not None

    assert demo_content(5).manifest("shop/api", before.digest) == before
    assert demo_content(5).manifest("shop/api", "latest") != before


def test_no_image_of_a_moving_repository_is_younger_than_its_moment() -> None:
    for now, content in demo_steps():
        for tag in content.tags("shop/api") or ():
            image = the_image(content, the_manifest(content, "shop/api", tag))
            assert image.created_at is not None
            assert image.created_at <= now


def test_digests_are_the_same_on_every_python() -> None:
    named = [
        (repository, what_tags_name(content, repository))
        for _, content in demo_steps()
        for repository in content.repositories()
    ]
    text = json.dumps(
        [[name, [[tag, s.digest] for tag, s in tags if s]] for name, tags in named]
    )

    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "2cbe8f6d24bacc05"


def measured(content: RegistryContent, held: Held) -> list[tuple[Layer, Uncompressed]]:
    """What our own client makes of the first and last bytes of each layer."""
    assert isinstance(held.parsed, Manifest)
    found = []
    for layer in held.parsed.layers:
        blob = the_blob(content, held.repository, layer.digest)
        story = measuring(layer)
        try:
            wanted = next(story)
            while True:
                wanted = story.send(blob.read(wanted.first, wanted.last))
        except StopIteration as end:
            shown: Shown = end.value
            known = MeasuredBlob(layer.compressed_bytes, shown.size, seen=shown.seen)
            found.append((layer, uncompressed_size(layer, known)))
    return found


def test_what_can_be_measured_is_the_figure_that_was_written_down() -> None:
    content = demo_content()

    for held in every_manifest(content):
        if not isinstance(held.parsed, Manifest):
            continue
        for layer, size in measured(content, held):
            blob = the_blob(content, held.repository, layer.digest)
            if size.confidence in ("exact", "trailer"):
                assert size.uncompressed_bytes == blob.uncompressed_bytes
            elif size.low_bytes is not None and size.high_bytes is not None:
                assert size.low_bytes <= blob.uncompressed_bytes <= size.high_bytes


@pytest.mark.parametrize(
    ("repository", "tag", "confidences"),
    [
        ("tutorial/hello", "latest", {"exact", "trailer"}),
        ("shop/api", "latest", {"exact", "trailer"}),
        ("data/etl", "latest", {"exact", "trailer"}),
        ("ml/notebook", "latest", {"exact", "trailer", "estimate"}),
    ],
)
def test_how_sure_a_size_is_varies_as_in_life(
    repository: str, tag: str, confidences: set[str]
) -> None:
    content = demo_content()

    sizes = measured(content, the_manifest(content, repository, tag))

    assert {size.confidence for _, size in sizes} == confidences


def test_zstd_layers_are_not_known_exactly() -> None:
    content = demo_content()

    sizes = measured(content, the_manifest(content, "ml/notebook", "7.2.0-zstd"))

    zstd = [size for layer, size in sizes if layer.media_type.endswith("+zstd")]
    assert {size.confidence for size in zstd} <= {"estimate", "unknown"}
    assert {size.reason for size in zstd} == {"zstd_without_size"}
