"""An image that is called an artifact does not hide behind the size of its layer."""

import gzip

import pytest

from support.fake_registry import FakeRegistry
from support.images import a_config, a_manifest
from weighbridge.domain.image.digest import digest_of
from weighbridge.domain.image.document import Layer
from weighbridge.domain.image.reference import parse_reference
from weighbridge.engine.weigh.weigh import weigh

ARCHIVE = gzip.compress(bytes(range(256)) * 100)
TEXT = b"a signature, which is a text\n" * 50


def a_registry(content: bytes, claim: int) -> FakeRegistry:
    """A tag whose layer has a vendor's own type and whose config has no platform."""
    registry = FakeRegistry()
    config = a_config(written={"os": "", "architecture": ""})
    registry.blobs[config.digest] = config.raw
    registry.blobs[digest_of(content)] = content
    layer = Layer("application/vnd.acme.thing", digest_of(content), claim)
    registry.put("app", "1", a_manifest([layer], config))
    return registry


@pytest.mark.parametrize("claim", [0, 1, len(ARCHIVE), 2**44])
async def test_an_archive_is_an_image_whatever_its_manifest_says(claim: int) -> None:
    registry = a_registry(ARCHIVE, claim)

    weighing = await weigh(registry, parse_reference("registry.example/app:1"))

    (image,) = weighing.images
    assert image.compressed_bytes == len(ARCHIVE)


@pytest.mark.parametrize("claim", [0, len(TEXT), 2**44])
async def test_a_text_is_none(claim: int) -> None:
    registry = a_registry(TEXT, claim)

    weighing = await weigh(registry, parse_reference("registry.example/app:1"))

    assert weighing.images == ()
