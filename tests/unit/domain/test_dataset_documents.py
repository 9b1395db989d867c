"""Images whose documents are kept byte by byte are read as they are."""

import pytest

from support.replica.records import Record, recorded, written
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Image, Manifest
from weighbridge.domain.image.image_config import build_image, parse_config
from weighbridge.domain.image.manifest import parse_manifest
from weighbridge.domain.image.platform import normalised


@pytest.fixture(
    params=["written", pytest.param("recorded", marks=pytest.mark.long)], scope="module"
)
def records(request: pytest.FixtureRequest) -> list[Record]:
    """Those with their own bytes: three of `tests/data`, or all that were recorded."""
    found = written() if request.param == "written" else recorded()
    whole = [record for record in found if record.raw_manifest is not None]
    assert len(whole) == {"written": 3, "recorded": 164}[request.param]
    return whole


def image_of(record: Record) -> Image:
    assert record.raw_manifest is not None
    assert record.raw_config is not None
    manifest = parse_manifest(
        record.raw_manifest, record.media_type or "", Digest(record.manifest_digest)
    )
    assert isinstance(manifest, Manifest)
    return build_image(
        manifest, parse_config(record.raw_config, manifest.config.digest)
    )


def test_all_kept_images_have_the_digests_and_sizes_that_were_written_down(
    records: list[Record],
) -> None:
    for record in records:
        image = image_of(record)

        said = record.platform
        assert image.digest == record.manifest_digest
        assert image.manifest.config.digest == record.config_digest
        assert image.compressed_bytes == record.total_bytes
        assert [(y.digest, y.compressed_bytes) for y in record.layers] == [
            (layer.digest, layer.compressed_bytes) for layer in image.layers
        ]
        assert image.platform == normalised(
            said["os"], said["architecture"], said.get("variant", "")
        )


def test_all_kept_images_have_a_layer_for_each_line_that_made_one(
    records: list[Record],
) -> None:
    for record in records:
        image = image_of(record)

        assert image.history_alignment == "exact"
        assert len(image.diff_ids) == len(image.layers)
        assert [y.layer for y in image.lines if y.layer is not None] == [
            *range(len(image.layers))
        ]
        assert image.created_at is not None
        assert image.problems == ()
