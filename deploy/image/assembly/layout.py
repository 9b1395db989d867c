"""An OCI image layout of one image with one layer (image-spec, image-layout.md)."""

import gzip
import hashlib
import io
import json
import os
import platform
import tarfile
from collections.abc import Buffer, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from assembly.running import USAGE, Failed

_MEDIA_TYPE: Final = "application/vnd.oci.image"
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_LEVEL: Final = 6


def write_image(
    root: Path, layout: Path, tag: str, settings: Mapping[str, object], epoch: int
) -> None:
    """Write the tree at `root` as the image `tag` of `layout`, which is made if it is
    absent. The same tree gives the same digests."""
    if not root.is_dir():
        raise Failed(f"{root} is no folder", USAGE)
    blobs = layout / "blobs/sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    diff_id, layer = _write_layer(root, blobs)
    created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    config = {
        "created": created,
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [
            {"created": created, "created_by": "COPY /rootfs / # deploy/image"}
        ],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_MEDIA_TYPE}.manifest.v1+json",
        "config": _write_json(config, f"{_MEDIA_TYPE}.config.v1+json", blobs),
        "layers": [layer],
    }
    _name(_write_json(manifest, f"{_MEDIA_TYPE}.manifest.v1+json", blobs), layout, tag)


def _write_layer(root: Path, blobs: Path) -> tuple[str, dict[str, object]]:
    """The digest of the layer's tar, and the descriptor of its gzip blob."""
    unfinished = blobs.parent / "unfinished"
    with (
        unfinished.open("wb") as file,
        gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packed,
    ):
        hashed = _Hashed(packed)
        with tarfile.open(fileobj=hashed, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            _add_all(root, tar)
    return hashed.digest, _keep(unfinished, f"{_MEDIA_TYPE}.layer.v1.tar+gzip", blobs)


class _Hashed(io.RawIOBase):
    """A file that is written on to another one, and hashed on its way."""

    def __init__(self, behind: gzip.GzipFile) -> None:
        super().__init__()
        self._behind = behind
        self._hash = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        self._hash.update(data)
        return self._behind.write(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def _add_all(root: Path, tar: tarfile.TarFile) -> None:
    """Every path below `root`, in the order of its name, by numbers of owners."""
    found = []
    for folder, folders, files in os.walk(root):
        found += [Path(folder, name) for name in [*folders, *files]]
    for path in sorted(found):
        member = tar.gettarinfo(path, str(path.relative_to(root)))
        member.uname = member.gname = ""
        # Whole seconds: a fraction would add a header of its own.
        member.mtime = int(member.mtime)
        if member.isreg():
            with path.open("rb") as content:
                tar.addfile(member, content)
        else:
            tar.addfile(member)


def _write_json(value: object, media_type: str, blobs: Path) -> dict[str, object]:
    unfinished = blobs.parent / "unfinished"
    unfinished.write_text(json.dumps(value))
    return _keep(unfinished, media_type, blobs)


def _keep(unfinished: Path, media_type: str, blobs: Path) -> dict[str, object]:
    """Give a blob its name. Returns its descriptor."""
    with unfinished.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    length = unfinished.stat().st_size
    unfinished.rename(blobs / digest)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": length}


def _name(manifest: dict[str, object], layout: Path, tag: str) -> None:
    """Note the image in the layout's index, in place of another one of its name."""
    name = {"org.opencontainers.image.ref.name": tag}
    file = layout / "index.json"
    known = json.loads(file.read_text())["manifests"] if file.exists() else []
    others = [entry for entry in known if entry.get("annotations") != name]
    entries = [*others, manifest | {"annotations": name}]
    file.write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
