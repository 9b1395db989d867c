"""Images built by buildah and umoci, weighed and compared with what others say."""

import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.docker_registry import DockerRegistry, docker_registry
from support.images_oci import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, Pusher
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.one_image.weigh_image import inspect
from weighbridge.config import load_settings
from weighbridge.domain.image.digest import digest_of
from weighbridge.domain.size.weighing import WeighedImage, Weighing

TAR = "application/vnd.oci.image.layer.v1.tar"
DOCKERFILE = """\
FROM scratch
COPY random /random
ENV ANSWER=42
COPY zeros /zeros
WORKDIR /empty
COPY small /small
LABEL kept=yes
CMD ["/small"]
"""


@dataclass(frozen=True, slots=True)
class Workshop:
    """buildah with storage of its own, and a registry to push to."""

    folder: Path
    registry: DockerRegistry

    def buildah(self, *arguments: str) -> str:
        storage = [
            f"--root={self.folder / 'root'}",
            f"--runroot={self.folder / 'run'}",
            "--storage-driver=vfs",
        ]
        return run(["buildah", *storage, *arguments])

    def build(self, name: str, *, platform: str = "linux/amd64") -> None:
        """From a context of its own: buildah remembers what it compressed before."""
        context = self.folder / f"context-{name}"
        context.mkdir()
        (context / "random").write_bytes(os.urandom(3_000_000))
        (context / "zeros").write_bytes(bytes(2_000_000))
        (context / "small").write_text(f"#!/bin/true {name}\n")
        (context / "Dockerfile").write_text(DOCKERFILE)
        self.buildah(
            "build",
            "--layers",
            "--no-cache",
            "--isolation=chroot",
            f"--platform={platform}",
            f"--tag={name}",
            str(context),
        )

    def push(self, name: str, repository: str, *options: str) -> None:
        target = f"docker://{self.registry.address}/{repository}:1"
        self.buildah("push", "--tls-verify=false", *options, name, target)

    def weigh(self, repository: str, tag: str = "1", **options: bool) -> Weighing:
        return inspect(
            load_settings(None, {}, KINDS),
            f"{self.registry.address}/{repository}:{tag}",
            platform=None,
            all_platforms=options.get("all_platforms", False),
        )


def run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    missing = [p for p in ("buildah", "umoci", "skopeo", "zstd") if not shutil.which(p)]
    if missing:
        if os.environ.get("CI"):
            pytest.fail(f"not installed: {missing}")
        pytest.skip(f"not installed: {missing}")
    if os.geteuid() != 0:
        pytest.skip("buildah's chroot isolation needs root")
    folder = tmp_path_factory.mktemp("workshop")
    with docker_registry(folder / "registry") as registry:
        made = Workshop(folder, registry)
        made.build("app")
        yield made


def true_lengths(workshop: Workshop, repository: str) -> dict[str, int]:
    """Every layer pulled by skopeo and decompressed by gzip and zstd themselves."""
    folder = workshop.folder / "pulled" / repository
    source = f"docker://{workshop.registry.address}/{repository}:1"
    folder.mkdir(parents=True)
    run(["skopeo", "copy", "--src-tls-verify=false", source, f"dir:{folder}"])
    manifest = json.loads((folder / "manifest.json").read_text())
    lengths = {}
    for layer in manifest["layers"]:
        blob = folder / layer["digest"].removeprefix("sha256:")
        lengths[layer["digest"]] = len(decompressed(blob))
    return lengths


def decompressed(blob: Path) -> bytes:
    raw = blob.read_bytes()
    if raw.startswith(b"\x1f\x8b"):
        return gzip.decompress(raw)
    if raw.startswith(b"\x28\xb5\x2f\xfd"):
        return subprocess.run(
            ["zstd", "-d", "-c", str(blob)], capture_output=True, check=True
        ).stdout
    return raw


def skopeo_layers(workshop: Workshop, repository: str) -> dict[str, int]:
    source = f"docker://{workshop.registry.address}/{repository}:1"
    found = json.loads(run(["skopeo", "inspect", "--tls-verify=false", source]))
    return {layer["Digest"]: layer["Size"] for layer in found["LayersData"]}


def assert_sizes_hold(image: WeighedImage, lengths: dict[str, int]) -> None:
    """`exact` and `trailer` are the truth, and bounds contain it."""
    for layer in image.layers:
        truth, size = lengths[layer.digest], layer.uncompressed
        assert size is not None
        if size.confidence in ("exact", "trailer"):
            assert size.uncompressed_bytes == truth
        if size.low_bytes is not None:
            assert size.low_bytes <= truth
        if size.high_bytes is not None:
            assert truth <= size.high_bytes


@pytest.mark.parametrize(
    ("repository", "options", "confidences"),
    [
        ("built/gzip", ("--format=oci",), {"exact", "trailer"}),
        ("built/docker", ("--format=v2s2",), {"exact", "trailer"}),
        (
            "built/zstd",
            ("--format=oci", "--compression-format=zstd", "--force-compression"),
            {"unknown", "exact", "estimate"},
        ),
        (
            "built/chunked",
            (
                "--format=oci",
                "--compression-format=zstd:chunked",
                "--force-compression",
            ),
            {"unknown", "exact", "estimate"},
        ),
    ],
)
def test_a_built_image_weighs_what_skopeo_and_gzip_say(
    workshop: Workshop,
    repository: str,
    options: tuple[str, ...],
    confidences: set[str],
) -> None:
    workshop.push("app", repository, *options)

    (image,) = workshop.weigh(repository).images

    layers = skopeo_layers(workshop, repository)
    assert {y.digest: y.compressed_bytes for y in image.layers} == layers
    assert image.compressed_bytes == sum(layers.values())
    assert_sizes_hold(image, true_lengths(workshop, repository))
    found = {y.uncompressed.confidence for y in image.layers if y.uncompressed}
    assert found <= confidences


def test_uncompressed_layers_are_measured_exactly(workshop: Workshop) -> None:
    workshop.push("app", "built/packed", "--format=oci")
    packed = f"docker://{workshop.registry.address}/built/packed:1"
    plain, flags = f"dir:{workshop.folder / 'plain'}", ["--src-tls-verify=false"]
    run(["skopeo", "copy", *flags, "--dest-decompress", packed, plain])
    target = f"docker://{workshop.registry.address}/built/plain:1"
    flags = ["--dest-tls-verify=false", "--preserve-digests"]
    run(["skopeo", "copy", *flags, plain, target])

    (image,) = workshop.weigh("built/plain").images

    lengths = true_lengths(workshop, "built/plain")
    assert_sizes_hold(image, lengths)
    assert {layer.media_type for layer in image.layers} == {TAR}
    assert image.uncompressed.uncompressed_bytes == sum(lengths.values())
    assert image.uncompressed.confidence == "exact"


def test_lines_carry_the_bytes_of_their_own_layers(workshop: Workshop) -> None:
    workshop.push("app", "built/lines", "--format=oci")

    (image,) = workshop.weigh("built/lines").images

    assert image.history_alignment == "exact"
    lengths = true_lengths(workshop, "built/lines")
    by_line = {
        line.instruction.split()[-1]: image.layers[line.layer]
        for line in image.lines
        if line.layer is not None and line.instruction.startswith("COPY")
    }
    assert lengths[by_line["/random"].digest] >= 3_000_000
    assert 2_000_000 <= lengths[by_line["/zeros"].digest] < 2_100_000
    assert lengths[by_line["/small"].digest] < 10_000
    for line in image.lines:
        if line.layer is None:
            assert line.compressed_bytes == line.uncompressed_bytes == 0
        else:
            assert line.compressed_bytes == image.layers[line.layer].compressed_bytes


def test_an_index_of_two_platforms_shows_each_of_them(workshop: Workshop) -> None:
    workshop.build("app-arm", platform="linux/arm64")
    workshop.buildah("manifest", "create", "both", "app", "app-arm")
    target = f"docker://{workshop.registry.address}/built/index:1"
    workshop.buildah("manifest", "push", "--all", "--tls-verify=false", "both", target)

    weighing = workshop.weigh("built/index", all_platforms=True)

    assert weighing.kind == "index"
    assert [str(p) for p in weighing.platforms] == ["linux/amd64", "linux/arm64"]
    assert [i.platform for i in weighing.images] == list(weighing.platforms)
    for image in weighing.images:
        assert image.history_alignment == "exact"
        assert image.compressed_bytes > 3_000_000


def test_an_attestation_beside_built_images_changes_no_weight(
    workshop: Workshop,
) -> None:
    # buildah makes none, so that one is put into its index as BuildKit does it.
    workshop.push("app", "built/attested", "--format=oci")
    (alone,) = workshop.weigh("built/attested").images
    source = f"docker://{workshop.registry.address}/built/attested:1"
    image = run(["skopeo", "inspect", "--tls-verify=false", "--raw", source]).encode()
    statement = b'{"_type":"https://in-toto.io/Statement/v0.1"}' * 100
    config = b"{}"
    attestation = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": described(OCI_CONFIG, config),
            "layers": [described("application/vnd.in-toto+json", statement)],
        }
    ).encode()
    index = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [
                described(OCI_MANIFEST, image)
                | {"platform": {"os": "linux", "architecture": "amd64"}},
                described(OCI_MANIFEST, attestation)
                | {
                    "platform": {"os": "unknown", "architecture": "unknown"},
                    "annotations": {
                        "vnd.docker.reference.type": "attestation-manifest",
                        "vnd.docker.reference.digest": digest_of(image),
                    },
                },
            ],
        }
    ).encode()
    with Pusher(workshop.registry.url) as pusher:
        for blob in (config, statement):
            pusher.push_blob("built/attested", blob)
        digest = digest_of(attestation)
        pusher.push_manifest("built/attested", digest, attestation, OCI_MANIFEST)
        pusher.push_manifest("built/attested", "1", index, OCI_INDEX)

    weighing = workshop.weigh("built/attested", all_platforms=True)

    assert weighing.kind == "index"
    assert weighing.images == (alone,)
    assert [str(p) for p in weighing.platforms] == ["linux/amd64"]
    (other,) = weighing.others
    stored = len(attestation) + len(config) + len(statement)
    assert (other.role, other.digest, other.stored_bytes) == (
        "attestation",
        digest,
        stored,
    )


def described(media_type: str, content: bytes) -> dict[str, object]:
    digest = digest_of(content)
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def test_an_image_of_umoci_weighs_the_same(workshop: Workshop) -> None:
    layout, bundle = workshop.folder / "umoci", workshop.folder / "bundle"
    run(["umoci", "init", f"--layout={layout}"])
    run(["umoci", "new", f"--image={layout}:1"])
    for step, length in enumerate((200_000, 5_000)):
        run(["umoci", "unpack", f"--image={layout}:1", str(bundle)])
        (bundle / "rootfs" / f"file{step}").write_bytes(os.urandom(length))
        run(["umoci", "repack", f"--image={layout}:1", str(bundle)])
        shutil.rmtree(bundle)
    target = f"docker://{workshop.registry.address}/built/umoci:1"
    run(["skopeo", "copy", "--dest-tls-verify=false", f"oci:{layout}:1", target])

    (image,) = workshop.weigh("built/umoci").images

    assert len(image.layers) == 2
    layers = skopeo_layers(workshop, "built/umoci")
    assert {y.digest: y.compressed_bytes for y in image.layers} == layers
    assert_sizes_hold(image, true_lengths(workshop, "built/umoci"))
    assert image.history_alignment == "exact"
