"""The recorded updates of all Docker official images, 2016-07 to 2018-01, and a few
that are written in their form.

Of each manifest its layers are known and not its history: no line has a text. Indexes
are served with their images for linux/amd64 alone, and what has none is left out,
unless somebody wants every platform.
"""

import csv
import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from support.data import data_path, recorded_path
from support.images import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    FOREIGN_LAYER,
    an_index_of,
)
from weighbridge.domain.image.digest import Digest, parse_digest
from weighbridge.domain.image.document import (
    Descriptor,
    Document,
    Image,
    Index,
    Layer,
    Manifest,
)
from weighbridge.domain.image.image_config import align
from weighbridge.domain.image.platform import DEFAULT, Platform, normalised

_CONFIG_BYTES: Final = 5_000
_MANIFEST_BYTES: Final = 3_000


@dataclass(frozen=True, slots=True)
class RecordedLook:
    """What one scan found to have moved in a repository.

    tags:     where they point now
    children: the images of the indexes among these
    """

    at: datetime
    repository: str
    tags: Mapping[str, Document]
    children: tuple[Image, ...]


def recorded_looks(*, every_platform: bool = False) -> Iterator[RecordedLook]:
    """In the order of time; skips the test where there are no records.

    every_platform: indexes with all their images, and those too that have none for
        linux/amd64
    """
    return _looks(recorded_path("dataset/history"), every_platform=every_platform)


def written_looks() -> Iterator[RecordedLook]:
    """A summer of a base and of three that are built on it, in the order of time."""
    return _looks(data_path("updates"))


def _looks(folder: Path, *, every_platform: bool = False) -> Iterator[RecordedLook]:
    found: dict[tuple[int, str], dict[str, tuple[str, tuple[int, ...]]]] = {}
    for time, repository, tag, digest, manifests in _rows(folder, "pushes"):
        numbers = tuple(int(n) for n in manifests.split(",") if n)
        look = found.setdefault((int(time), repository), {})
        look[tag] = (digest, numbers)
    for (moment, repository), tags in sorted(found.items()):
        at = datetime.fromtimestamp(moment, UTC)
        yield _look(folder, at, repository, tags, every_platform=every_platform)


def _look(
    folder: Path,
    at: datetime,
    repository: str,
    tags: Mapping[str, tuple[str, tuple[int, ...]]],
    *,
    every_platform: bool,
) -> RecordedLook:
    moved: dict[str, Document] = {}
    children: dict[Digest, Image] = {}
    for tag, (digest, numbers) in tags.items():
        images = [_image(folder, number) for number in numbers]
        found = [i for i in images if every_platform or i.platform == DEFAULT]
        if [image.digest for image in found] == [digest]:
            moved[tag] = found[0]
        elif found:
            moved[tag] = _index(digest, found)
            children |= {image.digest: image for image in found}
    return RecordedLook(at, repository, moved, tuple(children.values()))


def _index(digest: str, images: list[Image]) -> Index:
    index = an_index_of(*images)
    return Index(
        parse_digest(digest), index.media_type, index.manifest_bytes, index.children
    )


@cache
def _image(folder: Path, number: int) -> Image:
    """A manifest by its row, which is made once: aliases and indexes share it."""
    row = _every(folder, "manifests")[number]
    _, digest, platform, _, config, created, _, numbers = row
    layers = tuple(_layer(folder, int(layer)) for layer in numbers.split(",") if layer)
    lines, alignment = align([], len(layers))
    return Image(
        manifest=Manifest(
            parse_digest(digest),
            DOCKER_MANIFEST,
            _MANIFEST_BYTES,
            Descriptor(DOCKER_CONFIG, _config_digest(config), _CONFIG_BYTES),
            layers,
        ),
        platform=_platform(platform),
        created_at=datetime.fromisoformat(created) if created else None,
        diff_ids=(),
        lines=lines,
        history_alignment=alignment,
    )


@cache
def _layer(folder: Path, number: int) -> Layer:
    _, digest, compressed_bytes, foreign = _every(folder, "layers")[number]
    return Layer(
        FOREIGN_LAYER if foreign == "1" else DOCKER_LAYER,
        parse_digest(digest),
        int(compressed_bytes),
        is_foreign=foreign == "1",
    )


@cache
def _every(folder: Path, name: str) -> list[list[str]]:
    return list(_rows(folder, name))


def _config_digest(text: str) -> Digest:
    """A few were written without their algorithm."""
    return parse_digest(text if ":" in text else f"sha256:{text}")


def _platform(text: str) -> Platform:
    """`linux; arm variant v7`, `windows version 10.0.14393.2007; amd64`."""
    system, _, architecture = text.partition("; ")
    os, _, version = system.partition(" version ")
    name, _, variant = architecture.partition(" variant ")
    return normalised(os, name, variant, version)


def _rows(folder: Path, name: str) -> Iterator[list[str]]:
    packed, plain = folder / f"{name}.tsv.gz", folder / f"{name}.tsv"
    with (
        gzip.open(packed, "rt", encoding="utf-8")
        if packed.exists()
        else plain.open(encoding="utf-8")
    ) as lines:
        rows = csv.reader(lines, delimiter="\t")
        next(rows)
        yield from rows
