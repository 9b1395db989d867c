"""Manifests, indexes and layers that try to get a heavy image past a limit.

Each is pushed by its bytes to a registry, as anybody who may push could do it.
`docs/hostile-documents.md` says what each tries.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from support.images import (
    FOREIGN_LAYER,
    GZIP_LAYER,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
    ZSTD_LAYER,
)
from support.images_oci import Pusher

LIGHT: Final = 1_000
HEAVY: Final = 300_000
LIMIT: Final = "100kB"
OCTETS: Final = "application/octet-stream"
AMD64: Final = {"os": "linux", "architecture": "amd64"}
ARM64: Final = {"os": "linux", "architecture": "arm64"}
S390X: Final = {"os": "linux", "architecture": "s390x"}
UNKNOWN: Final = {"os": "unknown", "architecture": "unknown"}

Descriptor = dict[str, object]


@dataclass(frozen=True, slots=True)
class Shelf:
    """One repository of a registry."""

    pusher: Pusher
    repository: str

    def image(
        self,
        length: int,
        config: Mapping[str, object] | bytes = AMD64,
        *,
        layer_type: str = GZIP_LAYER,
        config_type: str = OCI_CONFIG,
        layer: bytes | None = None,
        **more: object,
    ) -> bytes:
        """A manifest with one layer of about this length, pushed by its digest.

        config: what its config says beside `rootfs`, or all of it
        more:   further members of the manifest
        """
        archive = an_archive(length, self.repository)
        content = gzip.compress(archive, mtime=0) if layer is None else layer
        if not isinstance(config, bytes):
            rootfs = {"type": "layers", "diff_ids": [digest(archive)]}
            config = json.dumps({**config, "rootfs": rootfs, "config": {}}).encode()
        self.pusher.push_blob(self.repository, content)
        self.pusher.push_blob(self.repository, config)
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": described(config_type, config),
            "layers": [described(layer_type, content)],
        }
        raw = json.dumps(document | more).encode()
        self.pusher.push_manifest(self.repository, digest(raw), raw, OCI_MANIFEST)
        return raw

    def index(self, *entries: Descriptor, tag: str = "", **more: object) -> bytes:
        """An index of these entries, under a tag or by its digest."""
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
        raw = json.dumps(document | more).encode()
        self.pusher.push_manifest(self.repository, tag or digest(raw), raw, OCI_INDEX)
        return raw

    def tag(self, manifest: bytes) -> None:
        """Let the tag name this manifest."""
        self.pusher.push_manifest(self.repository, "1", manifest, OCI_MANIFEST)


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def described(media_type: str, content: bytes, **more: object) -> Descriptor:
    """The descriptor of this content, with further members."""
    return {
        "mediaType": media_type,
        "digest": digest(content),
        "size": len(content),
        **more,
    }


def an_entry(
    content: bytes, platform: object = None, media_type: str = OCI_MANIFEST
) -> Descriptor:
    """An entry of an index."""
    more = {} if platform is None else {"platform": platform}
    return described(media_type, content, **more)


def an_archive(length: int, seed: str) -> bytes:
    """A tar with a file of random bytes."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        member = tarfile.TarInfo("data")
        member.size = length
        noise = Random(f"{seed} {length}").randbytes(length)  # noqa: S311 - not secret
        archive.addfile(member, io.BytesIO(noise))
    return made.getvalue()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to hide.

    build: fills a repository, whose tag `1` is what somebody pulls
    limit: the option of `check` that must refuse it
    code:  with which `check` ends: 1 over the limit, 3 it cannot be known
    opens: whether a crawl opens a violation
    """

    build: Callable[[Shelf], object]
    limit: str = "--max-compressed"
    code: int = 1
    opens: bool = True


def _child_of_another_type(shelf: Shelf) -> None:
    """Podman goes by the platform of an entry and never looks at its type."""
    light, heavy = shelf.image(LIGHT, ARM64), shelf.image(HEAVY)
    notes = "application/vnd.evil.notes.v1"
    shelf.index(an_entry(light, ARM64), an_entry(heavy, AMD64, notes), tag="1")


def _child_called_a_layer(shelf: Shelf) -> None:
    light, heavy = shelf.image(LIGHT, ARM64), shelf.image(HEAVY)
    shelf.index(an_entry(light, ARM64), an_entry(heavy, None, GZIP_LAYER), tag="1")


def _config_of_another_platform(shelf: Shelf) -> None:
    """By their configs the light one is for amd64; runtimes go by the index."""
    light, heavy = shelf.image(LIGHT, AMD64), shelf.image(HEAVY, S390X)
    shelf.index(an_entry(light, S390X), an_entry(heavy, AMD64), tag="1")


def _config_without_platform(shelf: Shelf) -> None:
    shelf.tag(shelf.image(HEAVY, {}, layer_type=OCTETS))


def _archive_called_a_statement(shelf: Shelf) -> None:
    statement = "application/vnd.in-toto+json"
    shelf.tag(shelf.image(HEAVY, UNKNOWN, layer_type=statement))


def _config_of_another_type(shelf: Shelf) -> None:
    shelf.tag(shelf.image(HEAVY, config_type="application/vnd.evil.config+json"))


def _artifact_type_over_octets(shelf: Shelf) -> None:
    notes = "application/vnd.evil.notes.v1"
    shelf.tag(shelf.image(HEAVY, layer_type=OCTETS, artifactType=notes))


def _config_beyond_what_is_read(shelf: Shelf) -> None:
    """Runtimes read configs of more than 4 MiB, we do not."""
    padding = {"author": "x" * (4 * 1024 * 1024 + 1)}
    shelf.tag(shelf.image(HEAVY, AMD64 | padding, layer_type=OCTETS))


def _config_with_a_name_twice(shelf: Shelf) -> None:
    """Go's decoder takes the second; a strict reader refuses the document."""
    config = (
        b'{"os":"linux","os":"linux","architecture":"amd64","rootfs":{"type":"layers",'
        b'"diff_ids":["sha256:%s"]}}' % (b"0" * 64)
    )
    shelf.tag(shelf.image(HEAVY, config, layer_type=OCTETS))


def _only_i386_for_a_pc(shelf: Shelf) -> None:
    """containerd on amd64 takes an image for 386 where there is no other."""
    i386 = {"os": "linux", "architecture": "i386"}
    light, heavy = shelf.image(LIGHT, ARM64), shelf.image(HEAVY, i386)
    shelf.index(an_entry(light, ARM64), an_entry(heavy, i386), tag="1")


def _version_that_is_none(shelf: Shelf) -> None:
    """A platform with one member that cannot be read."""
    light, heavy = shelf.image(LIGHT, ARM64), shelf.image(HEAVY, S390X)
    odd = AMD64 | {"os.version": "9" * 100}
    shelf.index(an_entry(light, ARM64), an_entry(heavy, odd), tag="1")


def _platform_in_capitals(shelf: Shelf) -> None:
    shouted = {"os": "Linux", "architecture": "AMD64"}
    light, heavy = shelf.image(LIGHT), shelf.image(HEAVY, shouted)
    shelf.index(an_entry(heavy, shouted), an_entry(light, AMD64), tag="1")


def _light_one_without_a_platform_first(shelf: Shelf) -> None:
    """An entry without a platform is taken last, wherever it stands."""
    light, heavy = shelf.image(LIGHT), shelf.image(HEAVY)
    shelf.index(an_entry(light), an_entry(heavy, AMD64), tag="1")


def _light_one_in_an_index_for_another(shelf: Shelf) -> None:
    light, heavy = shelf.image(LIGHT), shelf.image(HEAVY)
    inner = shelf.index(an_entry(light, AMD64))
    shelf.index(an_entry(inner, ARM64, OCI_INDEX), an_entry(heavy, AMD64), tag="1")


def _manifest_called_an_index(shelf: Shelf) -> None:
    light, heavy = shelf.image(LIGHT, ARM64), shelf.image(HEAVY)
    shelf.index(an_entry(light, ARM64), an_entry(heavy, AMD64, OCI_INDEX), tag="1")


def _index_called_a_manifest(shelf: Shelf) -> None:
    light, heavy = shelf.image(LIGHT, ARM64), shelf.image(HEAVY)
    inner = shelf.index(an_entry(heavy, AMD64))
    shelf.index(an_entry(light, ARM64), an_entry(inner), tag="1")


def _image_in_a_build_cache(shelf: Shelf) -> None:
    """BuildKit's cache is an index whose entries are layers and one config."""
    heavy = shelf.image(HEAVY)
    cache = shelf.image(LIGHT, b"{}", config_type=OCI_EMPTY, layer_type=OCTETS)
    kind = "application/vnd.buildkit.cacheconfig.v0"
    shelf.index(
        an_entry(heavy, AMD64, GZIP_LAYER), an_entry(cache, None, kind), tag="1"
    )


def _one_digest_called_both(shelf: Shelf) -> None:
    """One entry calls it an attestation, another an image."""
    light, heavy = shelf.image(LIGHT, ARM64), shelf.image(HEAVY)
    shelf.index(
        an_entry(light, ARM64),
        an_entry(heavy, UNKNOWN),
        an_entry(heavy, AMD64),
        an_entry(heavy, UNKNOWN),
        tag="1",
    )


def _index_below_the_last_level(shelf: Shelf) -> None:
    """Nested deeper than is read, and before a light one for the same platform."""
    light, deep = shelf.image(LIGHT), shelf.image(HEAVY)
    entry = an_entry(deep, AMD64)
    for _ in range(4):
        entry = an_entry(shelf.index(entry), AMD64, OCI_INDEX)
    shelf.index(entry, an_entry(light, AMD64), tag="1")


def _attested_nested_index(shelf: Shelf) -> None:
    """An annotation calls an index an attestation."""
    light, heavy = shelf.image(LIGHT, ARM64), shelf.image(HEAVY)
    inner = an_entry(shelf.index(an_entry(heavy, AMD64)), None, OCI_INDEX)
    note = {"vnd.docker.reference.type": "attestation-manifest"}
    shelf.index(an_entry(light, ARM64), inner | {"annotations": note}, tag="1")


def _gzip_called_zstd(shelf: Shelf) -> None:
    """What it unpacks to would not be known, if its type were believed."""
    zeros = gzip.compress(b"\0" * 20_000_000, mtime=0)
    shelf.tag(shelf.image(0, layer_type=ZSTD_LAYER, layer=zeros))


def _tar_called_octets(shelf: Shelf) -> None:
    archive = an_archive(HEAVY, shelf.repository)
    shelf.tag(shelf.image(0, layer_type=OCTETS, layer=archive))


def _empty_member_at_the_end(shelf: Shelf) -> None:
    """The last eight bytes of the gzip file say that it unpacks to nothing."""
    noise = Random(shelf.repository).randbytes(HEAVY)  # noqa: S311 - as above
    content = gzip.compress(noise + b"\0" * 50_000_000, mtime=0)
    layer = content + gzip.compress(b"", mtime=0)
    shelf.tag(shelf.image(0, layer=layer))


def _foreign_by_its_type_alone(shelf: Shelf) -> None:
    """Foreign layers are not in the registry; this one is."""
    shelf.tag(shelf.image(HEAVY, layer_type=FOREIGN_LAYER))


ATTEMPTS: Final = {
    "child-of-another-type": Attempt(_child_of_another_type),
    "child-called-a-layer": Attempt(_child_called_a_layer),
    "config-of-another-platform": Attempt(_config_of_another_platform),
    "config-without-platform": Attempt(_config_without_platform),
    "archive-called-a-statement": Attempt(_archive_called_a_statement),
    "config-of-another-type": Attempt(_config_of_another_type),
    "artifact-type-over-octets": Attempt(_artifact_type_over_octets),
    "config-beyond-what-is-read": Attempt(_config_beyond_what_is_read),
    "config-with-a-name-twice": Attempt(_config_with_a_name_twice),
    "only-i386-for-a-pc": Attempt(_only_i386_for_a_pc),
    "version-that-is-none": Attempt(_version_that_is_none),
    "platform-in-capitals": Attempt(_platform_in_capitals),
    "light-one-without-a-platform-first": Attempt(_light_one_without_a_platform_first),
    "light-one-in-an-index-for-another": Attempt(_light_one_in_an_index_for_another),
    "manifest-called-an-index": Attempt(_manifest_called_an_index),
    "index-called-a-manifest": Attempt(_index_called_a_manifest),
    "image-in-a-build-cache": Attempt(_image_in_a_build_cache),
    "one-digest-called-both": Attempt(_one_digest_called_both),
    "index-below-the-last-level": Attempt(
        _index_below_the_last_level, code=3, opens=False
    ),
    "attested-nested-index": Attempt(_attested_nested_index),
    "gzip-called-zstd": Attempt(_gzip_called_zstd, "--max-uncompressed"),
    "tar-called-octets": Attempt(_tar_called_octets, "--max-uncompressed"),
    "empty-member-at-the-end": Attempt(
        _empty_member_at_the_end, "--max-uncompressed", code=3
    ),
    "foreign-by-its-type-alone": Attempt(_foreign_by_its_type_alone),
}
