"""Our own image as a registry has it: weighed by ourselves, set up as we say."""

import json
import stat
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Final

import pytest

from support.docker_registry import docker_registry
from support.own_image import USER, OwnImage, last_stage, packed

LIMITS: Final = {"full": "120MB", "embedded": "95MB"}
TAG: Final = "1.0"


@pytest.fixture(scope="module")
def layout(image: OwnImage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image, packed."""
    folder = tmp_path_factory.mktemp("packed") / "layout"
    packed(image, folder, TAG)
    return folder


def test_it_passes_its_own_gate(image: OwnImage, layout: Path, tmp_path: Path) -> None:
    variant = image.root.name
    report = tmp_path / "check.json"
    with docker_registry(tmp_path / "registry") as registry:
        name = f"{registry.address}/weighbridge:{TAG}"
        copy = ["skopeo", "copy", "--quiet", "--dest-tls-verify=false"]
        subprocess.run([*copy, f"oci:{layout}:{TAG}", f"docker://{name}"], check=True)
        limit = LIMITS[variant]
        passed = check(name, "--max-uncompressed", limit, "--report", str(report))
        # The gate is one that can be shut.
        failed = check(name, "--max-uncompressed", "20MB")

    (weighed,) = json.loads(report.read_text())["images"]
    uncompressed, confidence = (
        weighed["uncompressed_bytes"],
        weighed["uncompressed_confidence"],
    )
    sys.stderr.write(
        f"{variant}: {weighed['compressed_bytes'] / 1e6:.1f} MB compressed, "
        f"{uncompressed / 1e6:.1f} MB uncompressed ({confidence})\n"
    )
    assert passed.returncode == 0, passed.stdout
    assert failed.returncode == 1, failed.stdout
    assert confidence in ("exact", "trailer")
    # What is weighed is what was assembled, in the blocks of a tar.
    assert uncompressed > bytes_in(image.root)


def check(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "weighbridge", "check", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def bytes_in(folder: Path) -> int:
    found = (path.lstat() for path in folder.rglob("*"))
    return sum(entry.st_size for entry in found if stat.S_ISREG(entry.st_mode))


def test_what_is_packed_says_what_the_dockerfile_says(layout: Path) -> None:
    inspect = ["skopeo", "inspect", "--config", f"oci:{layout}:{TAG}"]
    done = subprocess.run(inspect, capture_output=True, check=True)

    config = json.loads(done.stdout)["config"]

    stage = last_stage()
    assert config["User"] == stage.every("USER")[0]
    assert config["Entrypoint"] == stage.words("ENTRYPOINT")
    assert config["Cmd"] == stage.words("CMD")
    assert config["StopSignal"] == stage.every("STOPSIGNAL")[0]
    assert list(config["Volumes"]) == stage.words("VOLUME")
    assert list(config["ExposedPorts"]) == [f"{stage.every('EXPOSE')[0]}/tcp"]
    assert config["Labels"] == stage.pairs("LABEL")
    assert dict(v.split("=", 1) for v in config["Env"]) == stage.pairs("ENV")


def test_a_packed_layer_keeps_owners_and_modes(layout: Path) -> None:
    (layer,) = json.loads(read_blob(layout, manifest_digest(layout)))["layers"]
    path = layout / "blobs" / layer["digest"].replace(":", "/")

    with tarfile.open(path) as archive:
        members = {member.name: member for member in archive}

    assert (members["data"].uid, members["data"].mode) == (USER, 0o750)
    assert members["tmp"].mode == 0o1777
    assert members["usr/bin/weighbridge"].mode == 0o755
    assert list(members) == sorted(members, key=lambda name: name.split("/"))


@pytest.mark.long  # 8 s; it packs twice
def test_the_same_tree_is_packed_to_the_same_digest(
    image: OwnImage, layout: Path, tmp_path: Path
) -> None:
    packed(image, tmp_path / "again", TAG)

    assert manifest_digest(tmp_path / "again") == manifest_digest(layout)


def manifest_digest(layout: Path) -> str:
    (entry,) = json.loads((layout / "index.json").read_text())["manifests"]
    assert entry["annotations"]["org.opencontainers.image.ref.name"] == TAG
    return str(entry["digest"])


def read_blob(layout: Path, digest: str) -> bytes:
    return (layout / "blobs" / digest.replace(":", "/")).read_bytes()
