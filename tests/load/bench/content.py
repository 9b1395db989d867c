"""Images as a registry holds them: real blobs, the same for the same numbers."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Final

from support.images_oci import GZIP_LAYER, OCI_CONFIG, OCI_MANIFEST, made_layer
from weighbridge.domain.image.digest import Digest, digest_of

LAYERS: Final = 8
SHARED: Final = 3
"""Layers, base first, that every image of a repository has."""
_CONFIG_BYTES: Final = 5_000
_A_MOVE: Final = 10_000_000
"""Images of which no two numbers are the same, however many tags there are."""
_CREATED: Final = "2026-01-02T03:04:05.678901234Z"


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is; `tags` is the number in all repositories together."""

    repositories: int
    tags: int

    @property
    def names(self) -> list[str]:
        return [f"bench/r{number:03d}" for number in range(self.repositories)]


@dataclass(frozen=True, slots=True)
class Blob:
    """A layer: as it is stored, and the digest of what is inside."""

    content: bytes
    digest: Digest
    diff_id: Digest


@dataclass(frozen=True, slots=True)
class Tagged:
    """One tag with the image that is its own."""

    repository: str
    tag: str
    manifest: bytes
    config: bytes
    layers: tuple[Blob, ...]

    @property
    def digest(self) -> Digest:
        return digest_of(self.manifest)

    @property
    def path(self) -> str:
        return f"/v2/{self.repository}/manifests/{self.tag}"

    @property
    def config_path(self) -> str:
        return f"/v2/{self.repository}/blobs/{digest_of(self.config)}"


@dataclass(slots=True)
class Paths:
    """What a crawl asks for, kept in a file: to make it again takes seconds, and room
    in a process that is to stay small (see `measured`)."""

    manifests: list[str] = field(default_factory=list)
    configs: list[str] = field(default_factory=list)

    def add(self, image: Tagged) -> None:
        self.manifests.append(image.path)
        self.configs.append(image.config_path)

    @property
    def both(self) -> list[str]:
        """Manifest and config of each tag, tag by tag."""
        pairs = zip(self.manifests, self.configs, strict=True)
        return [path for pair in pairs for path in pair]

    @property
    def references(self) -> list[str]:
        """`repository:tag` of each tag."""
        parts = (
            path.removeprefix("/v2/").split("/manifests/") for path in self.manifests
        )
        return [":".join(both) for both in parts]

    def save(self, path: Path) -> None:
        path.write_text(json.dumps([self.manifests, self.configs]))

    @classmethod
    def load(cls, path: Path) -> "Paths":
        return cls(*json.loads(path.read_text()))


def tagged_images(
    size: Size, *, with_layers: bool = True, moves: int = 0
) -> Iterator[Tagged]:
    """Every tag, repository by repository.

    with_layers: whether layers have content; without it their digests are made up
    moves:       how often each tag has moved, each time to an image of its own
    """
    per_repository, more = divmod(size.tags, size.repositories)
    for at, repository in enumerate(size.names):
        for number in range(per_repository + (at < more)):
            yield _tagged(repository, number, with_layers, moves)


def _tagged(repository: str, tag: int, with_layers: bool, moves: int) -> Tagged:
    number = tag + moves * _A_MOVE
    layers = tuple(
        _layer(repository, -1 if place < SHARED else number, place, with_layers)
        for place in range(LAYERS)
    )
    config = _config(repository, number, layers)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _descriptor(OCI_CONFIG, digest_of(config), len(config)),
        "layers": [
            _descriptor(GZIP_LAYER, blob.digest, len(blob.content)) for blob in layers
        ],
    }
    raw = json.dumps(manifest, indent=1).encode()
    return Tagged(repository, f"v1.{tag}", raw, config, layers)


@cache
def _shared(repository: str, place: int, with_layers: bool) -> Blob:
    return _made(f"{repository} {place}", with_layers)


def _layer(repository: str, number: int, place: int, with_layers: bool) -> Blob:
    if number < 0:
        return _shared(repository, place, with_layers)
    return _made(f"{repository} {number} {place}", with_layers)


def _made(seed: str, with_layers: bool) -> Blob:
    random = Random(seed)  # noqa: S311 (the same content for the same numbers)
    content = random.randbytes(random.randint(200, 1_500))
    if not with_layers:
        return Blob(content, digest_of(content), digest_of(content[:100]))
    stored = made_layer(f"usr/share/{random.getrandbits(32):08x}", content)
    return Blob(stored, digest_of(stored), digest_of(gzip.decompress(stored)))


def _config(repository: str, number: int, layers: tuple[Blob, ...]) -> bytes:
    history: list[dict[str, object]] = []
    for place in range(len(layers)):
        history.append(_line(_instruction(number, place)))
        history.append(_line(f"ENV STEP_{place}=done", empty=True))
    history.append(_line(f"ENV VERSION=1.{number}", empty=True))
    document = {
        "architecture": "amd64",
        "os": "linux",
        "created": _CREATED,
        "config": {
            "Cmd": ["serve"],
            "Env": [f"SETTING_{n}={'x' * 40}" for n in range(8)],
            "Labels": {"org.opencontainers.image.title": f"{repository} {number}"},
        },
        "rootfs": {"type": "layers", "diff_ids": [blob.diff_id for blob in layers]},
        "history": history,
    }
    short = _CONFIG_BYTES - len(json.dumps(document, separators=(",", ":")))
    document["comment"] = "c" * max(0, short)
    return json.dumps(document, separators=(",", ":")).encode()


def _instruction(number: int, place: int) -> str:
    """As in an image that is built anew for each release: shared layers have the same
    lines everywhere, most steps stay the same text, two name what is new."""
    if place == SHARED:
        return f"COPY dir:{sha256(b'%d' % number).hexdigest()} in /srv/app "
    if place == SHARED + 1:
        return f"RUN /bin/sh -c ./install --release 1.{number} # buildkit"
    command = f"RUN /bin/sh -c apt-get install -y package-{place}"
    return f"{command} && rm -rf /var/lib/apt/lists/* # buildkit"


def _line(created_by: str, *, empty: bool = False) -> dict[str, object]:
    line: dict[str, object] = {"created": _CREATED, "created_by": created_by}
    return line | ({"empty_layer": True} if empty else {})


def _descriptor(media_type: str, digest: Digest, content_bytes: int) -> object:
    return {"mediaType": media_type, "digest": digest, "size": content_bytes}
