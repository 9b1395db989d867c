"""The recorded updates of all Docker official images, 2016-07 to 2018-01.

Of each manifest its layers are known and not its history: no line has a text. Indexes
are served with their images for linux/amd64 alone; what has none is left out.
"""

import csv
import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from math import inf
from typing import Final

from support.images import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    FOREIGN_LAYER,
    an_index_of,
)
from support.shared import shared_path
from weighbridge.domain.image.digest import Digest, parse_digest
from weighbridge.domain.image.document import (
    Descriptor,
    Document,
    Image,
    Index,
    Layer,
    Manifest,
)
from weighbridge.domain.image.history import align
from weighbridge.domain.image.platform import DEFAULT, Platform, normalised

_FOLDER: Final = "dataset/history"
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


def recorded_looks(
    repositories: frozenset[str] | None = None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[RecordedLook]:
    """In the order of time, of these repositories or of all; skips the test where
    there are no records."""
    found: dict[tuple[int, str], dict[str, tuple[str, tuple[int, ...]]]] = {}
    first = 0.0 if since is None else since.timestamp()
    last = inf if until is None else until.timestamp()
    for time, repository, tag, digest, manifests in _rows("pushes"):
        if not first <= int(time) <= last:
            continue
        if repositories is None or repository in repositories:
            numbers = tuple(int(n) for n in manifests.split(",") if n)
            look = found.setdefault((int(time), repository), {})
            look[tag] = (digest, numbers)
    for (moment, repository), tags in sorted(found.items()):
        yield _look(datetime.fromtimestamp(moment, UTC), repository, tags)


def _look(
    at: datetime, repository: str, tags: Mapping[str, tuple[str, tuple[int, ...]]]
) -> RecordedLook:
    moved: dict[str, Document] = {}
    children: dict[Digest, Image] = {}
    for tag, (digest, numbers) in tags.items():
        found = [i for number in numbers if (i := _image(number)).platform == DEFAULT]
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
def _image(number: int) -> Image:
    """A manifest by its row, which is made once: aliases and indexes share it."""
    _, digest, platform, _, config, created, _, numbers = _every("manifests")[number]
    layers = tuple(_layer(int(layer)) for layer in numbers.split(",") if layer)
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
def _layer(number: int) -> Layer:
    _, digest, compressed_bytes, foreign = _every("layers")[number]
    return Layer(
        FOREIGN_LAYER if foreign == "1" else DOCKER_LAYER,
        parse_digest(digest),
        int(compressed_bytes),
        is_foreign=foreign == "1",
    )


@cache
def _every(name: str) -> list[list[str]]:
    return list(_rows(name))


def _config_digest(text: str) -> Digest:
    """A few were written without their algorithm."""
    return parse_digest(text if ":" in text else f"sha256:{text}")


def _platform(text: str) -> Platform:
    """`linux; arm variant v7`, `windows version 10.0.14393.2007; amd64`."""
    system, _, architecture = text.partition("; ")
    os, _, version = system.partition(" version ")
    name, _, variant = architecture.partition(" variant ")
    return normalised(os, name, variant, version)


def _rows(name: str) -> Iterator[list[str]]:
    path = shared_path(f"{_FOLDER}/{name}.tsv.gz")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = csv.reader(lines, delimiter="\t")
        next(rows)
        yield from rows
