"""Manifests, configs and indexes of recorded images, byte-exact where they were kept.

Layer digests, sizes and types are the recorded ones. What was not recorded is made
up, the same in every process: configs, diff IDs, and with them all digests of
documents.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from support.replica.records import Record, RecordedLayer
from weighbridge.demo.content.stored_documents import (
    CONFIG,
    INDEX,
    LAYER,
    MANIFEST,
    Served,
    as_json,
    as_served,
    manifest_descriptor,
)
from weighbridge.domain.image.digest import Digest, digest_of

_NOWHERE: Final = "https://layers.invalid/"
"""Where foreign layers are said to be: a name that no resolver knows (RFC 2606)."""
_RECORDED_AS: Final = "replica.recorded-as"
_PREDICATES: Final = ("https://spdx.dev/Document", "https://slsa.dev/provenance/v0.2")


@dataclass(frozen=True, slots=True)
class Documents:
    """A record as it is served."""

    record: Record
    manifest: Served
    config: bytes

    @property
    def config_digest(self) -> Digest:
        return digest_of(self.config)


def documents_of(record: Record) -> Documents:
    """The manifest and config of a record."""
    media_type = record.media_type or MANIFEST["docker"]
    if record.raw_manifest is not None and record.raw_config is not None:
        digest = digest_of(record.raw_manifest)
        served = Served(record.raw_manifest, media_type, digest)
        return Documents(record, served, record.raw_config)
    config = as_json(_config(record))
    return Documents(record, _manifest(record, media_type, config), config)


def index_of(children: Sequence[Documents]) -> Served:
    """An index of these, in their order."""
    media_type = children[0].record.index_media_type or _index_type(children[0])
    served_as = {
        child.record.manifest_digest: child.manifest.digest for child in children
    }
    document = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": [_entry(child, served_as) for child in children],
    }
    return as_served(document, media_type)


def _index_type(child: Documents) -> str:
    is_oci = child.manifest.media_type == MANIFEST["oci"]
    return INDEX["oci" if is_oci else "docker"]


def _entry(child: Documents, served_as: Mapping[str, Digest]) -> Mapping[str, object]:
    entry = manifest_descriptor(child.manifest) | {
        "platform": dict(child.record.platform)
    }
    if child.record.subject is not None:
        entry["annotations"] = {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": served_as[child.record.subject],
        }
    return entry


def _manifest(record: Record, media_type: str, config: bytes) -> Served:
    style = CONFIG["oci" if media_type == MANIFEST["oci"] else "docker"]
    document = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": {
            "mediaType": style,
            "digest": digest_of(config),
            "size": len(config),
        },
        "layers": [_layer(layer, at) for at, layer in enumerate(record.layers)],
    }
    return as_served(document, media_type)


def _layer(layer: RecordedLayer, at: int) -> Mapping[str, object]:
    media_type = layer.media_type or LAYER["docker", "gzip"]
    written: dict[str, object] = {
        "mediaType": media_type,
        "digest": layer.digest,
        "size": layer.compressed_bytes,
    }
    if layer.is_foreign:
        written["urls"] = [_NOWHERE + layer.digest]
    if media_type.endswith("in-toto+json"):
        predicate = _PREDICATES[at % len(_PREDICATES)]
        written["annotations"] = {"in-toto.io/predicate-type": predicate}
    return written


def _config(record: Record) -> Mapping[str, object]:
    """What the record says, and a label that keeps two images apart of which nothing
    was recorded that would."""
    config: dict[str, object] = {
        **record.platform,
        "config": {"Labels": {_RECORDED_AS: record.manifest_digest}},
        "rootfs": {
            "type": "layers",
            "diff_ids": [
                digest_of(f"made-up diff of {layer.digest}".encode())
                for layer in record.layers
            ],
        },
    }
    if record.created:
        config["created"] = record.created
    if record.history is not None:
        config["history"] = [_line(line) for line in record.history]
    return config


def _line(line: Mapping[str, object]) -> Mapping[str, object]:
    """A line as docker writes it; whether it made a layer only where that is known."""
    written = {key: line[key] for key in ("created", "created_by") if line.get(key)}
    empty = line.get("empty_layer")
    return written | ({"empty_layer": True} if empty else {})
