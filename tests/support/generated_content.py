"""A registry with any number of tags, each made when it is asked for.

Nothing is kept but a bounded memory of recent digests: a million tags take no more
room than ten. Layers are found by their digest alone, since it ends with their place.
"""

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256
from typing import Final, overload

from msgspec import Struct

from weighbridge.demo.content.stored_documents import (
    CONFIG,
    LAYER,
    MANIFEST,
    RegistryContent,
    Served,
)
from weighbridge.demo.content.virtual_blobs import Blob, virtual_blob, whole_blob
from weighbridge.domain.image.digest import Digest, digest_of

_REMEMBERED: Final = 65_536
"""Digests of manifests and configs; a client asks for them right after the tag."""
_SHARED: Final = 0xFFFFFFFF
_PLACE_DIGITS: Final = 24
_LEAST_BYTES: Final = 70_000
"""Above 64 KiB, so that no layer is read whole."""
_SPREAD_BYTES: Final = 24_000_000


class RegistryShape(Struct, frozen=True):
    """How much there is.

    tags:           in each repository
    layers:         in each image
    shared:         how many of them, base first, every image of the registry has
    tags_per_image: neighbours that name the same image
    """

    repositories: int = 1
    tags: int = 1_000
    layers: int = 6
    shared: int = 4
    tags_per_image: int = 1


def generated_content(
    repositories: int = 1,
    tags: int = 1_000,
    layers: int = 6,
    shared: int = 4,
    tags_per_image: int = 1,
) -> RegistryContent:
    """Repositories `load/r00000`..., tags `t0000000`...; see `RegistryShape`.

    Raises ValueError for a shape that cannot be.
    """
    if not (0 <= shared <= layers and layers >= 1 and tags_per_image >= 1):
        raise ValueError("shared is 0 to layers, layers and tags_per_image at least 1")
    if min(repositories, tags) < 0:
        raise ValueError("repositories and tags are 0 or more")
    return _Generated(RegistryShape(repositories, tags, layers, shared, tags_per_image))


class _NumberedNames(Sequence[str]):
    """`prefix` and a number with leading zeros, so that the order is the number's."""

    def __init__(self, prefix: str, digits: int, count: int) -> None:
        self._prefix = prefix
        self._digits = digits
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [self._name(number) for number in range(*at.indices(self._count))]
        if not 0 <= at < self._count:
            raise IndexError(at)
        return self._name(at)

    def _name(self, number: int) -> str:
        return f"{self._prefix}{number:0{self._digits}d}"

    def number(self, name: str) -> int | None:
        """The number in a name; None for a name that is not of this listing."""
        text = name[len(self._prefix) :]
        if len(text) > 18 or not (text.isascii() and text.isdigit()):
            return None
        number = int(text)
        is_here = number < self._count and self._name(number) == name
        return number if is_here else None


class _Generated:
    """Content made from arithmetic."""

    def __init__(self, shape: RegistryShape) -> None:
        self._shape = shape
        self._repositories = _NumberedNames("load/r", 5, shape.repositories)
        self._tags = _NumberedNames("t", 7, shape.tags)
        self._recent: OrderedDict[str, tuple[int, int]] = OrderedDict()
        base = [_layer(_SHARED, 0, at) for at in range(shape.shared)]
        self._base_descriptors = "".join(_descriptor(*layer) + "," for layer in base)
        self._base_diffs = "".join(f'"{_diff_id(layer[0])}",' for layer in base)

    def repositories(self) -> Sequence[str]:
        return self._repositories

    def tags(self, repository: str) -> Sequence[str] | None:
        return None if self._repositories.number(repository) is None else self._tags

    def manifest(self, repository: str, reference: str) -> Served | None:
        place = self._place(repository, reference)
        if place is None:
            return None
        config = self._config(*place)
        config_digest = digest_of(config)
        content = self._document(*place, config_digest, len(config))
        digest = digest_of(content)
        self._remember(config_digest, place)
        self._remember(digest, place)
        return Served(content, MANIFEST["oci"], digest)

    def blob(self, repository: str, digest: str) -> Blob | None:
        number = self._repositories.number(repository)
        if number is None:
            return None
        place = self._recent.get(digest)
        if place is not None:
            config = whole_blob(self._config(*place))
            return config if config.digest == digest else None
        return self._find_layer(number, Digest(digest))

    def _place(self, repository: str, reference: str) -> tuple[int, int] | None:
        number = self._repositories.number(repository)
        if number is None:
            return None
        tag = self._tags.number(reference)
        if tag is not None:
            return number, tag // self._shape.tags_per_image
        place = self._recent.get(reference)
        return place if place is not None and place[0] == number else None

    def _remember(self, digest: str, place: tuple[int, int]) -> None:
        self._recent[digest] = place
        self._recent.move_to_end(digest)
        if len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)

    def _own(self, repository: int, image: int) -> list[tuple[Digest, int]]:
        shape = self._shape
        return [
            _layer(repository, image, at) for at in range(shape.shared, shape.layers)
        ]

    def _config(self, repository: int, image: int) -> bytes:
        shape = self._shape
        diffs = self._base_diffs + "".join(
            f'"{_diff_id(digest)}",' for digest, _ in self._own(repository, image)
        )
        created = f"2026-{1 + image % 9:02d}-{1 + image // 9 % 28:02d}T08:00:00Z"
        history = ",".join(
            f'{{"created":"{created}","created_by":"RUN /bin/sh -c make step-{at}'
            f' # buildkit","comment":"buildkit.dockerfile.v0"}}'
            for at in range(shape.layers)
        )
        return (
            f'{{"architecture":"amd64","os":"linux","created":"{created}",'
            f'"config":{{"Env":["IMAGE={repository}-{image}"]}},"history":[{history}],'
            f'"rootfs":{{"type":"layers","diff_ids":[{diffs[:-1]}]}}}}'
        ).encode()

    def _document(
        self, repository: int, image: int, config: Digest, config_bytes: int
    ) -> bytes:
        layers = self._base_descriptors + "".join(
            _descriptor(*layer) + "," for layer in self._own(repository, image)
        )
        return (
            f'{{"schemaVersion":2,"mediaType":"{MANIFEST["oci"]}","config":'
            f'{{"mediaType":"{CONFIG["oci"]}","digest":"{config}",'
            f'"size":{config_bytes}}},"layers":[{layers[:-1]}]}}'
        ).encode()

    def _find_layer(self, repository: int, digest: Digest) -> Blob | None:
        place = digest[-_PLACE_DIGITS:]
        owner, image, at = int(place[:8], 16), int(place[8:18], 16), int(place[18:], 16)
        expected, content_bytes = _layer(owner, image, at)
        is_here = owner in (repository, _SHARED) and at < self._shape.layers
        if not is_here or expected != digest:
            return None
        return virtual_blob(digest, "gzip", content_bytes, content_bytes * 5 // 2)


def _layer(owner: int, image: int, at: int) -> tuple[Digest, int]:
    """A layer's digest, which ends with its place, and its compressed bytes.

    It begins as evenly spread as a real one: a database that keeps digests in
    order must not have it easier here than elsewhere.
    """
    place = f"{owner:08x}{image:010x}{at:06x}"
    start = sha256(place.encode()).hexdigest()[:-_PLACE_DIGITS]
    spread = (owner * 31 + image * 7_919 + at * 104_729) * 613 % _SPREAD_BYTES
    return Digest(f"sha256:{start}{place}"), _LEAST_BYTES + spread


def _diff_id(digest: Digest) -> str:
    return "sha256:" + digest[:6:-1]


def _descriptor(digest: Digest, content_bytes: int) -> str:
    return (
        f'{{"mediaType":"{LAYER["oci", "gzip"]}","digest":"{digest}",'
        f'"size":{content_bytes}}}'
    )
