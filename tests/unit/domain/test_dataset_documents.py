"""Real images whose documents were recorded byte by byte are read as they are."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest

from support.shared import shared_path
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Image, Manifest
from weighbridge.domain.image.image_config import build_image, parse_config
from weighbridge.domain.image.manifest import parse_manifest
from weighbridge.domain.image.platform import normalised


@dataclass(frozen=True, slots=True)
class Recorded:
    """One record of the data set, as far as it can be compared."""

    manifest: bytes
    config: bytes
    media_type: str
    manifest_digest: str
    config_digest: str
    compressed_bytes: int
    layers: tuple[tuple[str, int], ...]
    platform: tuple[str, str, str]


@cache
def recorded_images() -> tuple[Recorded, ...]:
    return tuple(_read())


@pytest.fixture(name="recorded")
def _recorded() -> tuple[Recorded, ...]:
    return recorded_images()


def image_of(record: Recorded) -> Image:
    manifest = parse_manifest(
        record.manifest, record.media_type, Digest(record.manifest_digest)
    )
    assert isinstance(manifest, Manifest)
    return build_image(manifest, parse_config(record.config, manifest.config.digest))


def test_all_recorded_images_have_the_digests_and_sizes_that_were_recorded(
    recorded: tuple[Recorded, ...],
) -> None:
    images = [image_of(record) for record in recorded]

    assert len(images) == 164
    for record, image in zip(recorded, images, strict=True):
        assert image.digest == record.manifest_digest
        assert image.manifest.config.digest == record.config_digest
        assert image.compressed_bytes == record.compressed_bytes
        assert record.layers == tuple(
            (layer.digest, layer.compressed_bytes) for layer in image.layers
        )
        assert image.platform == normalised(*record.platform)


def test_all_recorded_images_have_a_layer_for_each_line_that_made_one(
    recorded: tuple[Recorded, ...],
) -> None:
    for record in recorded:
        image = image_of(record)

        assert image.history_alignment == "exact"
        assert len(image.diff_ids) == len(image.layers)
        assert [y.layer for y in image.lines if y.layer is not None] == [
            *range(len(image.layers))
        ]
        assert image.created_at is not None
        assert image.problems == ()


def _read() -> Iterator[Recorded]:
    with gzip.open(shared_path("dataset/images.jsonl.gz"), "rt", encoding="utf-8") as f:
        for line in f:
            if '"raw_manifest"' in line:
                record = json.loads(line)
                yield Recorded(
                    manifest=record["raw_manifest"].encode(),
                    config=record["raw_config"].encode(),
                    media_type=record["media_type"],
                    manifest_digest=record["manifest_digest"],
                    config_digest=record["config_digest"],
                    compressed_bytes=record["total_compressed"],
                    layers=tuple((y["digest"], y["size"]) for y in record["layers"]),
                    platform=(
                        record["platform"]["os"],
                        record["platform"]["architecture"],
                        record["platform"].get("variant", ""),
                    ),
                )
