"""What slimmer variants save an image, from a real registry to the command line."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.docker_registry import DockerRegistry, docker_registry
from support.images_oci import Pusher, made_image, made_layer
from weighbridge.cli.main import run

DEBIAN = made_layer("debian", os.urandom(45_000))
BUILDPACK = made_layer("buildpack", os.urandom(277_000))
PYTHON = made_layer("python", os.urandom(28_000))
SLIM = made_layer("slim", os.urandom(50_000))
ALPINE = made_layer("alpine", os.urandom(31_000))
APP = made_layer("app", os.urandom(14_000))
CONFIG = """
registries:
  - name: near
    url: {url}
    mirror_of: docker.io
    repositories: {{include: ["shop/*"]}}
bases:
  repositories: [buildpack-deps, python]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """The bases of an image, and its base's variants, in thousandths of their bytes."""
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        with Pusher(running.url) as pusher:
            stretch = made_image(DEBIAN, BUILDPACK)
            pusher.push("library/buildpack-deps", stretch, "stretch")
            full = made_image(DEBIAN, BUILDPACK, PYTHON)
            pusher.push("library/python", full, "3.7-rc")
            pusher.push("library/python", made_image(SLIM), "3.7-rc-slim")
            pusher.push("library/python", made_image(ALPINE), "3.7-rc-alpine")
            app = made_image(DEBIAN, BUILDPACK, PYTHON, APP)
            pusher.push("shop/app", app, "1.0")
        yield running


@pytest.fixture
def folder(
    server: DockerRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.chdir(tmp_path)
    text = f"database_url: sqlite:///{tmp_path}/w.db\n{CONFIG.format(url=server.url)}"
    (tmp_path / "weighbridge.yaml").write_text(text)
    return tmp_path


def answered(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert run([*arguments, "-o", "json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("folder")
def test_each_variant_saves_what_the_base_weighs_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (before,) = answered(capsys, "inspect", "near/shop/app:1.0")["images"]
    answered(capsys, "crawl")
    (image,) = answered(capsys, "inspect", "near/shop/app:1.0")["images"]
    listed = answered(capsys, "top", "--by", "saving")

    full = sum(len(layer) for layer in (DEBIAN, BUILDPACK, PYTHON))
    assert before["savings"] is None
    assert image["base"]["reference"] == "library/python:3.7-rc"
    assert [(s["variant"], s["saved_bytes"]) for s in image["savings"]] == [
        ("library/python:3.7-rc-alpine", full - len(ALPINE)),
        ("library/python:3.7-rc-slim", full - len(SLIM)),
    ]
    assert (
        image["savings"][1]["patch"] == "-FROM python:3.7-rc\n+FROM python:3.7-rc-slim"
    )
    (row,) = listed["items"]
    assert (row["repository"], row["saved_bytes"]) == ("shop/app", full - len(ALPINE))
    assert listed["saved_bytes"] == row["saved_bytes"]


@pytest.mark.usefixtures("folder")
def test_a_terminal_says_what_to_write_and_what_to_check(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answered(capsys, "crawl")

    assert run(["inspect", "near/shop/app:1.0"]) == 0

    shown = " ".join(capsys.readouterr().out.split())
    assert "FROM python:3.7-rc-slim in place of python:3.7-rc" in shown
    assert "Caution: it has musl in place of glibc" in shown
