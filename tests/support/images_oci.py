"""Made images, pushed to a registry by plain HTTP: no docker, no daemon."""

import gzip
import io
import json
import ssl
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

import httpx

from weighbridge.domain.image.digest import Digest, digest_of

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
GZIP_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True, slots=True)
class MadeImage:
    """All bytes of one image."""

    manifest: bytes
    config: bytes
    layers: tuple[bytes, ...]

    @property
    def digest(self) -> Digest:
        return digest_of(self.manifest)

    @property
    def compressed_bytes(self) -> int:
        return sum(map(len, set(self.layers)))


def made_layer(name: str, content: bytes) -> bytes:
    """A gzip layer with one file; the same arguments give the same bytes."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return gzip.compress(tar.getvalue(), mtime=0)


def made_image(
    *layers: bytes, architecture: str = "amd64", label: str = "made"
) -> MadeImage:
    """An OCI image with these layers, one by default; each has its history line."""
    layers = layers or (made_layer("hello", b"hello " * 100),)
    config = {
        "architecture": architecture,
        "os": "linux",
        "created": "2026-01-02T03:04:05Z",
        "config": {"Labels": {"name": label}},
        "rootfs": {
            "type": "layers",
            "diff_ids": [digest_of(gzip.decompress(layer)) for layer in layers],
        },
        "history": [
            {"created": "2026-01-02T03:04:05Z", "created_by": f"RUN step {number}"}
            for number in range(len(layers))
        ],
    }
    raw_config = json.dumps(config).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _descriptor(OCI_CONFIG, raw_config),
        "layers": [_descriptor(GZIP_LAYER, layer) for layer in layers],
    }
    return MadeImage(json.dumps(manifest).encode(), raw_config, tuple(layers))


def made_index(*images: MadeImage) -> bytes:
    """An OCI index of these images; their configs say the platforms."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [
                _descriptor(OCI_MANIFEST, image.manifest)
                | {"platform": _platform(image)}
                for image in images
            ],
        }
    ).encode()


class Pusher:
    """Fills a registry; a blob is uploaded once for each repository."""

    def __init__(
        self,
        registry_url: str,
        *,
        auth: tuple[str, str] | None = None,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        # The basic credentials are for registries that use htpasswd.
        self._client = httpx.Client(
            base_url=registry_url, auth=auth, trust_env=False, verify=verify
        )
        self._uploaded: set[tuple[str, Digest]] = set()

    def __enter__(self) -> "Pusher":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def push(self, repository: str, image: MadeImage, *tags: str) -> Digest:
        """An image with its blobs, under these tags or by its digest alone."""
        for blob in (image.config, *image.layers):
            self.push_blob(repository, blob)
        for reference in tags or (image.digest,):
            self.push_manifest(repository, reference, image.manifest, OCI_MANIFEST)
        return image.digest

    def push_index(
        self, repository: str, tag: str, images: Sequence[MadeImage]
    ) -> Digest:
        """An index with its images."""
        for image in images:
            self.push(repository, image)
        index = made_index(*images)
        return self.push_manifest(repository, tag, index, OCI_INDEX)

    def push_blob(self, repository: str, content: bytes) -> Digest:
        """distribution-spec, "Pushing blobs": POST, then one PUT."""
        digest = digest_of(content)
        if (repository, digest) in self._uploaded:
            return digest
        begun = self._client.post(f"/v2/{repository}/blobs/uploads/")
        begun.raise_for_status()
        upload = httpx.URL(begun.headers["location"])
        ended = self._client.put(
            upload.copy_merge_params({"digest": digest}),
            content=content,
            headers={"content-type": "application/octet-stream"},
        )
        ended.raise_for_status()
        self._uploaded.add((repository, digest))
        return digest

    def push_manifest(
        self, repository: str, reference: str, raw: bytes, media_type: str
    ) -> Digest:
        """A manifest or index under a tag or its digest."""
        answer = self._client.put(
            f"/v2/{repository}/manifests/{reference}",
            content=raw,
            headers={"content-type": media_type},
        )
        answer.raise_for_status()
        return digest_of(raw)

    def delete_manifest(self, repository: str, digest: Digest) -> None:
        """With all tags that name it."""
        answer = self._client.delete(f"/v2/{repository}/manifests/{digest}")
        answer.raise_for_status()


def _descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {
        "mediaType": media_type,
        "digest": digest_of(content),
        "size": len(content),
    }


def _platform(image: MadeImage) -> dict[str, object]:
    config = json.loads(image.config)
    return {"os": config["os"], "architecture": config["architecture"]}
