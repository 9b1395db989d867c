"""The documents of a made-up fleet's images: pure functions of a few numbers.

Eight layers: four of a base that the registry shares, two that a repository's
neighbouring images share, two of the image alone. A layer's digest ends with its
place and begins as evenly spread as a real one; its size follows from the digest.
All numbers are of fixed length, so that every manifest is as long as every other,
and so is every config.
"""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Final

from support.replica.fleet import ERA, GROUP, Fleet
from weighbridge.demo.content.stored_documents import CONFIG, LAYER, MANIFEST, Served
from weighbridge.domain.image.digest import Digest, digest_of

BASE_LAYERS: Final = 4
GROUP_LAYERS: Final = 2
OWN_LAYERS: Final = 2
_PLACE_DIGITS: Final = 18
_BASE, _GROUP, _OWN = "b", "c", "d"
_SMALLEST: Final = {_BASE: 10_000_000, _GROUP: 10_000_000, _OWN: 1_000_000}
"""Nine times this, less one, is the largest: sizes have as many digits each."""
_STEPS: Final = (
    "ADD rootfs.tar.xz / # buildkit",
    "RUN /bin/sh -c apt-get update && apt-get install -y ca-certificates # buildkit",
    "RUN /bin/sh -c useradd --create-home app # buildkit",
    "RUN /bin/sh -c tar -xf runtime.tar.gz -C /usr/local # buildkit",
    "COPY requirements.lock . # buildkit",
    "RUN /bin/sh -c install-packages requirements.lock # buildkit",
    "COPY src/ /app # buildkit",
    "RUN /bin/sh -c compile-assets /app # buildkit",
)


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer by its place: a digest and what it says of the size."""

    digest: Digest
    compressed_bytes: int


@dataclass(frozen=True, slots=True)
class FleetImage:
    """An image's documents."""

    manifest: Served
    config: bytes
    config_digest: Digest


def base_of(fleet: Fleet, origin: int, image: int) -> int:
    """Repositories start from different bases and move on to the next in time."""
    return (origin + image // ERA) % fleet.bases


@lru_cache(4096)
def base_layers(base: int) -> tuple[Layer, ...]:
    """The first of them is the distribution's, which every third base has."""
    first = _layer(_BASE, base % 3, 0, 0)
    return (first, *(_layer(_BASE, base, 0, at) for at in range(1, BASE_LAYERS)))


def group_layers(origin: int, group: int) -> tuple[Layer, ...]:
    """Shared by `GROUP` images in a row."""
    return tuple(_layer(_GROUP, origin, group, at) for at in range(GROUP_LAYERS))


def own_layers(origin: int, image: int) -> tuple[Layer, ...]:
    return tuple(_layer(_OWN, origin, image, at) for at in range(OWN_LAYERS))


def find_layer(digest: str) -> Layer | None:
    """A layer of some fleet, by its digest alone; None for any other digest."""
    place = digest[-_PLACE_DIGITS:]
    if place[0] not in _SMALLEST:
        return None
    layer = _layer(
        place[0], int(place[1:8], 16), int(place[8:16], 16), int(place[16:], 16)
    )
    return layer if layer.digest == digest else None


def build_image(fleet: Fleet, origin: int, image: int) -> FleetImage:
    """An image's manifest and config."""
    descriptors, diffs = _common(origin, image // GROUP, base_of(fleet, origin, image))
    own = own_layers(origin, image)
    config = _config(origin, image, diffs + _diff_ids(own)).encode()
    config_digest = digest_of(config)
    manifest = (
        f'{{"schemaVersion":2,"mediaType":"{MANIFEST["oci"]}","config":'
        f'{{"mediaType":"{CONFIG["oci"]}","digest":"{config_digest}",'
        f'"size":{len(config)}}},"layers":[{descriptors}{_descriptors(own)}]}}'
    ).encode()
    served = Served(manifest, MANIFEST["oci"], digest_of(manifest))
    return FleetImage(served, config, config_digest)


@lru_cache(4096)
def _common(origin: int, group: int, base: int) -> tuple[str, str]:
    """What an image has in common with its neighbours, as it is written."""
    layers = (*base_layers(base), *group_layers(origin, group))
    return _descriptors(layers) + ",", _diff_ids(layers) + ","


def _layer(kind: str, owner: int, number: int, at: int) -> Layer:
    place = f"{kind}{owner:07x}{number:08x}{at:02x}"
    start = sha256(place.encode()).hexdigest()[:-_PLACE_DIGITS]
    smallest = _SMALLEST[kind]
    size = smallest + int(start[:12], 16) % (9 * smallest)
    return Layer(Digest(f"sha256:{start}{place}"), size)


def _descriptors(layers: tuple[Layer, ...]) -> str:
    media_type = LAYER["oci", "gzip"]
    return ",".join(
        f'{{"mediaType":"{media_type}","digest":"{layer.digest}",'
        f'"size":{layer.compressed_bytes}}}'
        for layer in layers
    )


def _diff_ids(layers: tuple[Layer, ...]) -> str:
    return ",".join(f'"sha256:{layer.digest[:6:-1]}"' for layer in layers)


def _config(origin: int, image: int, diff_ids: str) -> str:
    created = (
        f"2025-{1 + image // 28 % 12:02d}-{1 + image % 28:02d}T"
        f"{image // 336 % 24:02d}:{origin % 60:02d}:00Z"
    )
    history = ",".join(
        f'{{"created":"{created}","created_by":"{step}",'
        '"comment":"buildkit.dockerfile.v0"}'
        for step in _STEPS
    )
    return (
        f'{{"architecture":"amd64","os":"linux","created":"{created}",'
        f'"config":{{"Env":["REVISION={origin:05d}-{image:07d}"],'
        f'"Cmd":["/app/run"]}},"history":[{history},'
        f'{{"created":"{created}","created_by":"CMD [\\"/app/run\\"]",'
        '"comment":"buildkit.dockerfile.v0","empty_layer":true}],'
        f'"rootfs":{{"type":"layers","diff_ids":[{diff_ids}]}}}}'
    )
