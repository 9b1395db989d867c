"""Manifests whose sizes are not true, at a real registry: what `inspect` and `check`
say, and how they end."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from support.docker_registry import docker_registry
from support.images_oci import OCI_MANIFEST, MadeImage, Pusher, made_image, made_layer
from weighbridge.cli.main import run

HEAVY_BYTES: Final = random.Random(1).randbytes(3_000_000)  # noqa: S311 - data
HEAVY: Final = made_layer("heavy", HEAVY_BYTES)
LIGHT: Final = made_layer("light", b"light" * 100)
FAR_BYTES: Final = random.Random(2).randbytes(2_000_000)  # noqa: S311 - data
FAR: Final = made_layer("far", FAR_BYTES)
FOREIGN: Final = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
LIMIT: Final = ("--max-compressed", "1MB")


def claiming(image: MadeImage, layer: int, **claims: object) -> bytes:
    """The manifest, with something else said of one layer."""
    manifest = json.loads(image.manifest)
    manifest["layers"][layer] |= claims
    return json.dumps(manifest).encode()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A repository of docker-registry with one tag for each lie."""
    image = made_image(LIGHT, HEAVY)
    far = made_image(LIGHT, FAR)
    manifests = {
        "honest": image.manifest,
        "one-byte": claiming(image, 1, size=1),
        "zero": claiming(image, 1, size=0),
        "huge": claiming(image, 1, size=2**44),
        "foreign-here": claiming(image, 1, size=1, mediaType=FOREIGN),
        "foreign-far": claiming(far, 1, size=1, mediaType=FOREIGN, urls=["http://x/"]),
        "foreign-heavy": claiming(far, 1, mediaType=FOREIGN, urls=["http://x/"]),
        "light": made_image(LIGHT).manifest,
    }
    # Else it takes no manifest that names a layer which it does not hold.
    takes = {"validation": {"manifests": {"urls": {"allow": ["^http://x/"]}}}}
    folder = tmp_path_factory.mktemp("registry")
    with (
        docker_registry(folder, settings=takes) as registry,
        Pusher(registry.url) as pusher,
    ):
        pusher.push("shop/app", image, "made")
        pusher.push("shop/app", made_image(LIGHT), "made")
        pusher.push_blob("shop/app", far.config)
        for tag, manifest in manifests.items():
            pusher.push_manifest("shop/app", tag, manifest, OCI_MANIFEST)
        yield f"{registry.address}/shop/app"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("tag", "options", "code"),
    [
        ("light", LIMIT, 0),
        ("honest", LIMIT, 1),
        ("one-byte", LIMIT, 1),
        ("zero", LIMIT, 1),
        ("huge", LIMIT, 1),
        ("huge", ("--max-compressed", "4MB"), 0),
        ("foreign-here", LIMIT, 1),
        ("foreign-here", (*LIMIT, "--allow-foreign"), 1),
        ("foreign-far", LIMIT, 3),
        ("foreign-far", (*LIMIT, "--allow-foreign"), 0),
        ("foreign-far", (*LIMIT, "--allow-unknown"), 0),
        ("foreign-far", ("--max-layers", "5"), 0),
        ("foreign-heavy", LIMIT, 1),
        ("one-byte", ("--max-layer-compressed", "1MB"), 1),
        ("one-byte", ("--max-growth", "10%", "--against", ":light"), 1),
        ("honest", ("--max-growth", "10%", "--against", ":huge"), 0),
        ("one-byte", ("--max-uncompressed", "1MB"), 1),
    ],
)
def test_check_ends_by_what_the_registry_holds(
    shop: str, tag: str, options: tuple[str, ...], code: int
) -> None:
    assert run(["check", f"{shop}:{tag}", *options]) == code


@pytest.mark.parametrize(("tag", "claim"), [("one-byte", 1), ("huge", 2**44)])
def test_inspect_shows_both_figures(
    shop: str, tag: str, claim: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["inspect", f"{shop}:{tag}", "-o", "json"]) == 0

    told = capsys.readouterr()
    layer = json.loads(told.out)["images"][0]["layers"][1]
    assert layer["compressed_bytes"] == len(HEAVY)
    assert layer["claimed_bytes"] == claim
    assert layer["compressed_confidence"] == "disputed"
    assert layer["uncompressed_confidence"] == "trailer"
    assert f"the registry says {len(HEAVY):,} bytes" in told.err


def test_a_false_claim_costs_one_request_more_than_the_truth(
    shop: str, capsys: pytest.CaptureFixture[str]
) -> None:
    requests = {}
    for tag in ("honest", "one-byte", "huge", "foreign-here"):
        run(["inspect", f"{shop}:{tag}", "-o", "json"])
        requests[tag] = json.loads(capsys.readouterr().out)["cost"]["requests"]

    # Manifest, config and a range of each of two layers.
    assert requests == {"honest": 4, "one-byte": 5, "huge": 5, "foreign-here": 5}
