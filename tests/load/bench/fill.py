"""Fills docker-registry by writing its files: a push of each tag would take minutes.

    python -m load.bench.fill REPOSITORIES TAGS ROOTDIRECTORY PATHS

The layout is that of distribution's storage driver (registry/storage/paths.go):
content once under `blobs`, and small files named `link` that hold a digest.
"""

import sys
from pathlib import Path

from load.bench.content import Paths, Size, tagged_images
from weighbridge.domain.image.digest import Digest, digest_of


def fill(data: Path, size: Size) -> Paths:
    """Write every image below the registry's `rootdirectory`, which is empty."""
    paths = Paths()
    root = data / "docker" / "registry" / "v2"
    known: set[Path] = set()
    for image in tagged_images(size):
        paths.add(image)
        home = root / "repositories" / image.repository
        for content in (image.config, *(blob.content for blob in image.layers)):
            digest = digest_of(content)
            _put_blob(root, digest, content, known)
            _put_link(home / "_layers" / _hashed(digest), digest, known)
        _put_blob(root, image.digest, image.manifest, known)
        manifests = home / "_manifests"
        _put_link(manifests / "revisions" / _hashed(image.digest), image.digest, known)
        tag = manifests / "tags" / image.tag
        _put_link(tag / "current", image.digest, known)
        _put_link(tag / "index" / _hashed(image.digest), image.digest, known)
    return paths


def _put_blob(root: Path, digest: Digest, content: bytes, known: set[Path]) -> None:
    algorithm, _, characters = digest.partition(":")
    folder = root / "blobs" / algorithm / characters[:2] / characters
    _put(folder / "data", content, known)


def _put_link(folder: Path, digest: Digest, known: set[Path]) -> None:
    _put(folder / "link", digest.encode(), known)


def _put(path: Path, content: bytes, known: set[Path]) -> None:
    if path in known:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    known.add(path)


def _hashed(digest: Digest) -> str:
    return digest.replace(":", "/")


if __name__ == "__main__":
    repositories, tags, data, listing = sys.argv[1:]
    fill(Path(data), Size(int(repositories), int(tags))).save(Path(listing))
