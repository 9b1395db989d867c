"""The registry for load tests: any number of tags, none of them stored."""

import json
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.generated_content import generated_content
from weighbridge.demo.content.stored_documents import RegistryContent, Served
from weighbridge.domain.image.digest import digest_of
from weighbridge.domain.image.document import Manifest
from weighbridge.domain.image.image_config import build_image, parse_config
from weighbridge.domain.image.manifest import parse_manifest
from weighbridge.domain.limits import SMALL_BLOB_BYTES


def the_manifest(
    content: RegistryContent, tag: str, repository: str = "load/r00000"
) -> Served:
    served = content.manifest(repository, tag)
    assert served is not None
    return served


def the_layers(served: Served) -> list[str]:
    return [layer["digest"] for layer in json.loads(served.content)["layers"]]


def test_names_are_in_order_and_as_many_as_were_asked_for() -> None:
    content = generated_content(repositories=12, tags=34)

    names, tags = list(content.repositories()), list(content.tags("load/r00011") or ())

    assert (len(names), len(tags)) == (12, 34)
    assert (names, tags) == (sorted(names), sorted(tags))


@given(st.integers(0, 9), st.integers(0, 999_999))
def test_any_tag_is_an_image_that_our_parsers_accept(repository: int, tag: int) -> None:
    content = generated_content(repositories=10, tags=1_000_000)
    name = f"load/r{repository:05d}"
    served = the_manifest(content, f"t{tag:07d}", name)

    parsed = parse_manifest(served.content, served.media_type, served.digest)

    assert isinstance(parsed, Manifest)
    blob = content.blob(name, parsed.config.digest)
    assert blob is not None
    raw = blob.read(0, blob.content_bytes - 1)
    image = build_image(parsed, parse_config(raw, digest_of(raw)))
    assert (image.history_alignment, len(image.layers)) == ("exact", 6)


def test_every_layer_is_found_by_its_digest_alone() -> None:
    served = the_manifest(generated_content(), "t0000007")
    content = generated_content()

    for layer in json.loads(served.content)["layers"]:
        blob = content.blob("load/r00000", layer["digest"])
        assert blob is not None
        assert blob.content_bytes == layer["size"] > SMALL_BLOB_BYTES
        (stated,) = struct.unpack("<I", blob.read(blob.content_bytes - 4, 2**62))
        assert stated == blob.uncompressed_bytes


def test_the_first_layers_are_shared_and_the_others_are_not() -> None:
    content = generated_content(repositories=2, layers=5, shared=3)

    one = the_layers(the_manifest(content, "t0000001"))
    other = the_layers(the_manifest(content, "t0000001", "load/r00001"))

    assert one[:3] == other[:3]
    assert not set(one[3:]) & set(other[3:])


def test_neighbours_can_name_the_same_image() -> None:
    content = generated_content(tags_per_image=2)

    first, second = the_manifest(content, "t0000004"), the_manifest(content, "t0000005")

    assert first == second
    assert first != the_manifest(content, "t0000006")


def test_a_manifest_is_found_by_its_digest_after_its_tag() -> None:
    content = generated_content()
    served = the_manifest(content, "t0000003")

    assert content.manifest("load/r00000", served.digest) == served


@pytest.mark.parametrize(
    "tag", ["t1", "t0001000", "x0000001", "t" + "\u0660" * 7, "", "t00_0001"]
)
def test_a_tag_that_is_not_in_the_listing_is_not_there(tag: str) -> None:
    assert generated_content(tags=1_000).manifest("load/r00000", tag) is None


@given(st.text(alphabet="0123456789abcdef", min_size=64, max_size=64))
def test_a_digest_that_was_never_given_is_not_found(text: str) -> None:
    assert generated_content().blob("load/r00000", f"sha256:{text}") is None


def test_a_million_tags_take_no_room() -> None:
    tracemalloc.start()
    content = generated_content(repositories=1_000, tags=1_000_000)

    tags = content.tags("load/r00999")
    assert tags is not None
    page = tags[999_000:1_000_000]
    for tag in page:
        the_manifest(content, tag, "load/r00999")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(tags) == 1_000_000
    assert peak_bytes < 4_000_000


@pytest.mark.parametrize(
    ("shared", "layers", "tags", "tags_per_image"),
    [(7, 6, 1, 1), (-1, 6, 1, 1), (0, 0, 1, 1), (1, 2, -1, 1), (1, 2, 1, 0)],
)
def test_a_shape_that_cannot_be_is_refused(
    shared: int, layers: int, tags: int, tags_per_image: int
) -> None:
    with pytest.raises(ValueError, match=r"or more|at least"):
        generated_content(1, tags, layers, shared, tags_per_image)
