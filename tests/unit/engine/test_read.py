"""Reading what a tag leads to: whole, each digest once, refused where untrue."""

import contextlib
import gc
import tracemalloc
from collections.abc import Iterator

import pytest

from support.fake_registry import FakeRegistry
from support.images import (
    OCI_MANIFEST,
    Served,
    a_manifest,
    a_served_image,
    an_artifact,
    an_attestation,
    an_attestation_entry,
    an_index,
    descriptor_json,
    some_layers,
)
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Artifact, Image, Index
from weighbridge.domain.image.platform import Platform
from weighbridge.engine.documents.document_reader import Reader
from weighbridge.engine.documents.reading import KnownDigests, nothing_known
from weighbridge.engine.tasks.side_by_side import together
from weighbridge.errors import DocumentError, NotFound, TransportError

ARM = Platform("linux", "arm64")


def reader_of(registry: FakeRegistry, known: set[Digest] | None = None) -> Reader:
    async def find(digests: object) -> set[Digest]:
        return known or set()

    return Reader(registry, KnownDigests(find if known else nothing_known))


async def test_an_image_is_read_with_its_config() -> None:
    registry = FakeRegistry()
    digest = registry.put("app", "1", a_served_image(some_layers(100, 20)))

    reading = await reader_of(registry).read("app", "1")

    (image,) = reading.documents
    assert isinstance(image, Image)
    assert (reading.digest, image.compressed_bytes) == (digest, 120)
    assert image.history_alignment == "exact"


async def test_an_index_is_read_with_all_its_children() -> None:
    registry = FakeRegistry()
    amd, arm = a_served_image(), a_served_image(some_layers(7), platform=ARM)
    attestation = an_attestation()
    entry = an_attestation_entry(attestation, amd.manifest.digest)
    registry.hold(amd, arm, attestation)
    registry.put("app", "1", an_index([amd.manifest, arm.manifest, entry]))

    reading = await reader_of(registry).read("app", "1")

    kinds = sorted(type(document).__name__ for document in reading.documents)
    assert kinds == ["Artifact", "Image", "Image", "Index"]
    assert reading.missing == {}


async def test_a_child_that_the_registry_lacks_leaves_the_others_index_005() -> None:
    registry = FakeRegistry()
    amd, arm = a_served_image(), a_served_image(some_layers(7), platform=ARM)
    registry.hold(amd)
    registry.put("app", "1", an_index([amd.manifest, arm.manifest]))

    reading = await reader_of(registry).read("app", "1")

    assert reading.missing == {arm.manifest.digest: "child_missing"}
    assert {d.digest for d in reading.documents} >= {amd.manifest.digest}


async def test_a_chain_of_fifty_indexes_costs_four_requests_index_001() -> None:
    registry = FakeRegistry()
    below: Served = a_manifest()
    registry.hold(below)
    for _ in range(50):
        below = an_index([descriptor_json(below)])
        registry.hold(below)
    registry.put("app", "1", below)

    reading = await reader_of(registry).read("app", "1")

    assert registry.count("get_manifest") == 4
    assert list(reading.missing.values()) == ["index_too_deep"]
    assert all(isinstance(document, Index) for document in reading.documents)


async def test_an_index_that_is_served_for_its_child_is_refused_index_002() -> None:
    registry = FakeRegistry()
    child = a_manifest()
    index = an_index([child])
    registry.put("app", "1", index)
    registry.manifests[child.digest] = index

    with pytest.raises(DocumentError) as refused:
        await reader_of(registry).read("app", "1")

    assert refused.value.code == "digest_mismatch"
    assert registry.count("get_manifest") <= 2


async def test_nine_hundred_entries_of_one_digest_are_one_request_index_004() -> None:
    registry = FakeRegistry()
    child = a_served_image()
    registry.hold(child)
    entry = descriptor_json(child.manifest)
    entries = [
        entry | {"platform": {"os": "linux", "architecture": f"cpu{n}"}}
        for n in range(900)
    ]
    registry.put("app", "1", an_index(entries))

    await reader_of(registry).read("app", "1")

    assert registry.count("get_manifest") == 2


async def test_a_child_of_another_length_is_refused_index_007() -> None:
    registry = FakeRegistry()
    child = a_served_image()
    registry.hold(child)
    entry = descriptor_json(child.manifest) | {"size": 500}
    registry.put("app", "1", an_index([entry]))

    with pytest.raises(DocumentError) as refused:
        await reader_of(registry).read("app", "1")

    assert refused.value.code == "size_mismatch"


async def test_an_attestation_is_no_image_index_009() -> None:
    registry = FakeRegistry()
    image, attestation = a_served_image(), an_attestation()
    entry = an_attestation_entry(attestation, image.manifest.digest)
    registry.hold(image, attestation)
    registry.put("app", "1", an_index([image.manifest, entry]))

    reading = await reader_of(registry).read("app", "1")

    images = [d for d in reading.documents if isinstance(d, Image)]
    artifacts = [d for d in reading.documents if isinstance(d, Artifact)]
    assert [i.digest for i in images] == [image.manifest.digest]
    assert [a.role for a in artifacts] == ["attestation"]


async def test_a_config_of_another_length_leaves_the_sizes_config_blob_007() -> None:
    registry = FakeRegistry()
    served = a_served_image(some_layers(100))
    registry.put("app", "1", served)
    registry.blobs[served.config.digest] = served.config.raw + b" "

    reading = await reader_of(registry).read("app", "1")

    (image,) = reading.documents
    assert isinstance(image, Image)
    assert image.compressed_bytes == 100
    assert [p.code for p in image.problems] == ["config_size_mismatch"]
    assert image.history_alignment == "unresolved"


async def test_a_config_above_the_cap_is_not_asked_for_config_blob_008() -> None:
    registry = FakeRegistry()
    config = Served(b"x", "application/vnd.oci.image.config.v1+json")
    small = f'"size":{len(config.raw)}}}'.encode()
    raw = a_manifest(config=config).raw.replace(small, b'"size":8388608}', 1)
    registry.put("app", "1", Served(raw, OCI_MANIFEST))

    reading = await reader_of(registry).read("app", "1")

    (image,) = reading.documents
    assert isinstance(image, Image)
    assert [p.code for p in image.problems] == ["config_too_large"]
    assert registry.count("get_blob") == 0


async def test_an_altered_config_gives_no_history_config_blob_009() -> None:
    registry = FakeRegistry()
    served = a_served_image(some_layers(100))
    registry.put("app", "1", served)
    altered = served.config.raw.replace(b"step-0", b"step-9")
    registry.blobs[served.config.digest] = altered

    reading = await reader_of(registry).read("app", "1")

    (image,) = reading.documents
    assert isinstance(image, Image)
    assert [p.code for p in image.problems] == ["digest_mismatch"]
    assert not any("step-9" in line.instruction for line in image.lines)


async def test_a_failed_config_is_not_mistaken_for_a_bad_one() -> None:
    registry = FakeRegistry()
    served = a_served_image()
    registry.put("app", "1", served)
    broken = TransportError("no answer in time", code="deadline")
    registry.breaks["get_blob", served.config.digest] = broken

    with pytest.raises(TransportError):
        await reader_of(registry).read("app", "1")


async def test_two_tags_of_one_digest_cost_one_config() -> None:
    registry = FakeRegistry()
    image = a_served_image()
    registry.put("app", "1", image)
    registry.put("app", "latest", image)
    reader = reader_of(registry)

    readings = await together([reader.read("app", "1"), reader.read("app", "latest")])

    assert registry.count("get_blob") == 1
    assert readings[0].digest == readings[1].digest


async def test_a_digest_that_the_store_knows_is_not_completed() -> None:
    registry = FakeRegistry()
    digest = registry.put("app", "1", a_served_image())

    reading = await reader_of(registry, {digest}).read("app", "1")

    assert reading.documents == ()
    assert registry.count("get_blob") == 0


async def test_a_lookup_that_is_older_than_what_was_just_kept_costs_nothing() -> None:
    registry = FakeRegistry()
    image = a_served_image()
    registry.put("app", "1", image)
    registry.put("app", "latest", image)
    # What the store says is always of before it was given the image.
    reader = reader_of(registry)
    reader.forget(await reader.read("app", "1"))

    again = await reader.read("app", "latest")

    assert again.documents == ()
    assert registry.count("get_blob") == 1


async def test_an_index_that_was_kept_without_a_child_is_read_again() -> None:
    registry = FakeRegistry()
    amd, arm = a_served_image(), a_served_image(some_layers(7), platform=ARM)
    index = an_index([amd.manifest, arm.manifest])
    registry.hold(amd)
    registry.put("app", "1", index)
    registry.put("app", "latest", index)
    reader = reader_of(registry)
    first = await reader.read("app", "1")
    reader.forget(first)
    registry.hold(arm)

    again = await reader.read("app", "latest")

    assert first.missing
    assert {type(document) for document in again.documents} == {Image, Index}
    assert again.missing == {}


async def test_what_a_refused_index_leaves_behind_is_bounded() -> None:
    registry = FakeRegistry()
    reader = Reader(registry, KnownDigests(nothing_known), most_landed=5)
    good = [a_served_image(some_layers(100 + number)) for number in range(20)]
    bad = a_served_image(some_layers(7))
    registry.hold(*good)
    longer = Served(bad.manifest.raw + b" ", bad.manifest.media_type)
    registry.manifests[bad.manifest.digest] = longer
    registry.put("app", "1", an_index([i.manifest for i in [*good, bad]]))
    for number, image in enumerate(good):
        registry.put("app", f"good-{number}", image)

    with pytest.raises(DocumentError):
        await reader.read("app", "1")
    before = registry.count("get_blob")
    readings = [await reader.read("app", f"good-{number}") for number in range(20)]

    # Those that were let go are read again, and nothing else is lost.
    assert 15 <= registry.count("get_blob") - before <= 20
    assert [len(reading.documents) for reading in readings] == [1] * 20


async def test_an_artifact_is_kept_as_what_it_is_manifest_047() -> None:
    registry = FakeRegistry()
    registry.put("charts", "1", an_artifact())

    reading = await reader_of(registry).read("charts", "1")

    (document,) = reading.documents
    assert isinstance(document, Artifact)
    assert registry.count("get_blob") == 0


async def test_an_index_that_lies_about_a_length_spoils_no_other_reading() -> None:
    registry = FakeRegistry()
    image = a_served_image()
    lie = descriptor_json(image.manifest) | {"size": 7}
    registry.put("evil", "1", an_index([lie]))
    registry.put("app", "lie", an_index([lie]))
    registry.put("app", "1", image)
    registry.put("app", "index", an_index([image.manifest]))
    reader = reader_of(registry)

    for repository, tag in (("evil", "1"), ("app", "lie")):
        with pytest.raises(DocumentError, match="its index says 7"):
            await reader.read(repository, tag)

    assert (await reader.read("app", "1")).digest == image.manifest.digest
    assert (await reader.read("app", "index")).missing == {}


async def test_what_one_repository_lacks_is_asked_of_the_next() -> None:
    registry = FakeRegistry()
    image = a_served_image()
    registry.put("app", "1", image)
    registry.put("evil", "1", image)
    registry.breaks["get_blob", image.config.digest] = NotFound("no blob")
    reader = reader_of(registry)

    (without,) = (await reader.read("evil", "1")).documents
    registry.breaks.clear()
    (whole,) = (await reader.read("app", "1")).documents

    assert isinstance(without, Image)
    assert [problem.code for problem in without.problems] == ["config_missing"]
    assert isinstance(whole, Image)
    assert whole.problems == ()


async def test_indexes_of_indexes_cost_a_thousand_requests_a_tag_at_most() -> None:
    registry = FakeRegistry()
    wide = [
        an_index(
            [
                descriptor_json(a_manifest()) | {"digest": f"sha256:{n:032x}{m:032x}"}
                for m in range(100)
            ]
        )
        for n in range(100)
    ]
    registry.hold(*wide)
    registry.put("app", "1", an_index(wide))
    registry.put("app", "2", wide[99])
    reader = reader_of(registry)

    reading = await reader.read("app", "1")
    again = await reader.read("app", "2")

    assert registry.count("get_manifest") <= 1 + 1000 + 1 + 100
    assert "index_too_large" in reading.missing.values()
    assert set(again.missing.values()) == {"child_missing"}


async def test_an_index_below_the_last_level_is_read_where_a_tag_names_it() -> None:
    registry = FakeRegistry()
    image = a_served_image()
    index = an_index([image.manifest])
    registry.hold(image)
    registry.put("app", "1", index)
    deep = index
    for _ in range(3):
        registry.hold(deep)
        deep = an_index([deep])
    registry.put("app", "deep", deep)
    reader = reader_of(registry)

    below = await reader.read("app", "deep")
    direct = await reader.read("app", "1")

    assert below.missing == {index.digest: "index_too_deep"}
    assert index.digest not in {document.digest for document in below.documents}
    assert {image.manifest.digest, index.digest} == {
        document.digest for document in direct.documents
    }


async def test_a_refused_document_is_not_held_in_memory() -> None:
    registry = FakeRegistry()
    reader = reader_of(registry)

    with without_collector():
        tracemalloc.start()
        for tag in range(10):
            broken = b'{"a": "%d' % tag + b"x" * 1_000_000
            registry.put("app", str(tag), Served(broken, OCI_MANIFEST))
            with contextlib.suppress(DocumentError):
                await reader.read("app", str(tag))
            registry.manifests.clear()
        held_bytes, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert held_bytes < 4_000_000


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """What is freed in the block is freed because nothing refers to it."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
