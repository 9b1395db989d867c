"""What of an index or a manifest counts as an image, and what is left out."""

import pytest

from support.fake_registry import FakeRegistry
from support.images import (
    GZIP_LAYER,
    Served,
    a_config,
    a_digest,
    a_layer,
    a_manifest,
    a_served_image,
    an_index,
    descriptor_json,
    layer_json,
    some_layers,
)
from weighbridge.domain.image.document import Artifact, Document, Image, Index
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.image.reference import parse_reference
from weighbridge.engine.documents.document_reader import Reader
from weighbridge.engine.documents.reading import KnownDigests, nothing_known
from weighbridge.engine.weigh.weigh import weigh

APP = parse_reference("registry.example/app:1")
COSIGN = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE = b'{"critical":{"identity":{}}}'


async def read(registry: FakeRegistry) -> tuple[Document, ...]:
    reading = await Reader(registry, KnownDigests(nothing_known)).read("app", "1")
    assert reading.missing == {}
    return reading.documents


def a_signature(blob: bytes = SIGNATURE, media_type: str = COSIGN) -> FakeRegistry:
    """What cosign stores: the type of an image's config, and no platform in it."""
    registry = FakeRegistry()
    config = a_config(1, written={"os": "", "architecture": ""})
    signed = Served(blob, media_type)
    registry.blobs |= {config.digest: config.raw, signed.digest: blob}
    written = {"layers": [descriptor_json(signed)]}
    registry.put("app", "1", a_manifest([], config, written=written))
    return registry


async def test_a_signature_stays_an_artifact_for_two_requests_more() -> None:
    registry = a_signature()

    (document,) = await read(registry)

    assert isinstance(document, Artifact)
    assert (document.artifact_type, document.may_be) == (COSIGN, None)
    assert registry.cost.requests == 3


async def test_an_archive_is_no_signature_whatever_it_is_called() -> None:
    (document,) = await read(a_signature(b"\x1f\x8b\x08\0 and so on"))

    assert isinstance(document, Image)


async def test_a_chart_costs_no_request_more() -> None:
    registry = FakeRegistry()
    config = Served(b'{"name":"app"}', "application/vnd.cncf.helm.config.v1+json")
    chart = a_layer("chart", 9, "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
    registry.put("app", "1", a_manifest([chart], config))

    (document,) = await read(registry)

    assert isinstance(document, Artifact)
    assert registry.cost.requests == 1


@pytest.mark.parametrize(
    "media_type", ["application/octet-stream", "application/gzip", "application/vnd.x"]
)
async def test_a_config_makes_an_image_whatever_its_layers_are_called(
    media_type: str,
) -> None:
    registry = FakeRegistry()
    config = a_config(1)
    registry.blobs[config.digest] = config.raw
    registry.put("app", "1", a_manifest([a_layer("a", 500, media_type)], config))

    (document,) = await read(registry)
    weighing = await weigh(registry, APP)

    assert isinstance(document, Image)
    assert (document.platform, document.compressed_bytes) == (DEFAULT, 500)
    assert weighing.kind == "image"
    assert [image.compressed_bytes for image in weighing.images] == [500]


async def test_an_index_that_lists_a_layer_is_no_fault() -> None:
    registry = FakeRegistry()
    image = a_served_image()
    registry.hold(image)
    entry = layer_json(a_layer("listed", 77))
    registry.put("app", "1", an_index([image.manifest, entry]))

    index = next(d for d in await read(registry) if isinstance(d, Index))
    weighing = await weigh(registry, APP)

    assert [child.role for child in index.children] == ["image", "artifact"]
    assert [str(platform) for platform in weighing.platforms] == ["linux/amd64"]
    assert [(o.digest, o.role) for o in weighing.others] == [
        (a_digest("listed"), "artifact")
    ]
    (warning,) = weighing.warnings
    assert GZIP_LAYER in warning


async def test_a_second_image_of_one_platform_is_shown() -> None:
    registry = FakeRegistry()
    first, second = (a_served_image(some_layers(n, name=f"{n}")) for n in (300, 7))
    registry.hold(first, second)
    registry.put("app", "1", an_index([first.manifest, second.manifest]))

    weighing = await weigh(registry, APP, all_platforms=True)

    assert [image.compressed_bytes for image in weighing.images] == [300]
    assert [(o.digest, o.role) for o in weighing.others] == [
        (second.manifest.digest, "image")
    ]
    assert "several images are listed for linux/amd64" in weighing.warnings[0]


async def test_a_child_without_a_platform_is_weighed_whatever_is_noted_on_it() -> None:
    registry = FakeRegistry()
    light = a_served_image(some_layers(7), platform=Platform("linux", "arm64"))
    heavy = a_served_image(some_layers(900, name="heavy"))
    registry.hold(light, heavy)
    entry = descriptor_json(heavy.manifest) | {
        "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
        "platform": None,
    }
    registry.put("app", "1", an_index([light.manifest, entry]))

    weighing = await weigh(registry, APP)

    assert [(str(p.platform), p.compressed_bytes) for p in weighing.images] == [
        ("linux/amd64", 900)
    ]
