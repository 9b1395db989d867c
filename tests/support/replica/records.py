"""Records of images whose documents were mostly not kept: the recorded ones, and a
few that are written in their form."""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from support.data import data_path, recorded_path

_SUBJECT: Final = "vnd.docker.reference.digest"


@dataclass(frozen=True, slots=True)
class RecordedLayer:
    """A layer as it was recorded; `media_type` None: not written down."""

    digest: str
    compressed_bytes: int
    media_type: str | None

    @property
    def is_foreign(self) -> bool:
        return ".foreign." in (self.media_type or "")


@dataclass(frozen=True, slots=True)
class Record:
    """One platform's manifest, and the tags by which it was found.

    repository:     the source, a slash and the recorded name
    index_digest:   as recorded; None: the tags name the manifest, or the index that
                    did was not recorded
    index_tags:     name the index
    manifest_tags:  name this manifest
    platform:       as an index writes it
    subject:        of an attestation: the recorded digest of what it is about
    total_bytes:    the recorded sum, which counts a repeated layer each time
    raw_manifest, raw_config: the true bytes, where they were kept
    dockerfile_from: what the FROM of its Dockerfile says, as far as that is known
    base_digest:    the manifest or index that it was built on; None: not written down
    """

    source: str
    repository: str
    index_digest: str | None
    index_media_type: str | None
    index_tags: tuple[str, ...]
    manifest_tags: tuple[str, ...]
    platform: Mapping[str, str]
    manifest_digest: str
    config_digest: str | None
    media_type: str | None
    created: str | None
    total_bytes: int
    layers: tuple[RecordedLayer, ...]
    history: Sequence[Mapping[str, object]] | None
    history_alignment: str
    subject: str | None
    raw_manifest: bytes | None
    raw_config: bytes | None
    dockerfile_from: str | None = None
    base_digest: str | None = None

    @property
    def is_attestation(self) -> bool:
        return self.platform["os"] == "unknown"

    @property
    def compressed_bytes(self) -> int:
        """What a pull moves: each distinct layer once."""
        return sum({y.digest: y.compressed_bytes for y in self.layers}.values())


@cache
def recorded() -> tuple[Record, ...]:
    """All records, in the file's order; skips the test where there is none."""
    path = recorded_path("dataset/images.jsonl.gz")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return tuple(_record(json.loads(line)) for line in lines)


@cache
def written() -> tuple[Record, ...]:
    """Seven repositories with all that is odd in the recorded ones: foreign layers, a
    layer that is listed twice, attestations, Windows, tags without an index, images
    whose own bytes were kept."""
    with data_path("images.jsonl").open(encoding="utf-8") as lines:
        return tuple(_record(json.loads(line)) for line in lines)


def _record(said: Mapping[str, Any]) -> Record:  # the data set's README is its schema
    index_tags, manifest_tags = _tags(said)
    raw_manifest, raw_config = said.get("raw_manifest"), said.get("raw_config")
    return Record(
        source=said["source"],
        repository=f"{said['source']}/{said['repo']}",
        index_digest=said["index_digest"],
        index_media_type=said["index_media_type"],
        index_tags=index_tags,
        manifest_tags=manifest_tags,
        platform=_platform(said["platform"]),
        manifest_digest=said["manifest_digest"],
        config_digest=said["config_digest"],
        media_type=said["media_type"],
        created=said["created"],
        total_bytes=said["total_compressed"],
        layers=tuple(
            RecordedLayer(layer["digest"], layer["size"], layer["media_type"])
            for layer in said["layers"]
        ),
        history=said["history"],
        history_alignment=said["history_alignment"],
        subject=said.get("annotations", {}).get(_SUBJECT),
        raw_manifest=raw_manifest.encode() if raw_manifest else None,
        raw_config=raw_config.encode() if raw_config else None,
        dockerfile_from=said.get("dockerfile_from"),
        base_digest=(said.get("base_image") or "").partition("@")[2] or None,
    )


def _tags(said: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those of the index, those of the manifest. One source tells them apart; in the
    others every tag names what the registry answered with: the index, if any."""
    if "platform_tags" in said:
        return tuple(said["shared_tags"]), tuple(said["platform_tags"])
    tags = tuple(said["tags"])
    return (tags, ()) if said["index_digest"] else ((), tags)


def _platform(said: Mapping[str, str]) -> Mapping[str, str]:
    """One source names a Windows version by its base image only: that name stands
    for the number, so that an index's platforms stay apart."""
    version = said.get("os.version") or said.get("os.version.name")
    kept = {key: said[key] for key in ("os", "architecture", "variant") if key in said}
    return kept | ({"os.version": version} if version else {})
