"""Bases of repositories that are named for that alone, read from a real registry."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.docker_registry import DockerRegistry, docker_registry
from support.images_oci import Pusher, made_image, made_layer
from support.serving import free_address, serving
from weighbridge.cli.main import run

BASE = made_layer("base", os.urandom(20_000))
APP = made_layer("app", os.urandom(5_000))
CONFIG = """
registries:
  - name: near
    url: {url}
    mirror_of: docker.io
    repositories: {{include: ["shop/*"]}}
bases:
  repositories: [debian, python]
policies:
  - {{name: slim, allowed_bases: ["debian:*-slim"]}}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        with Pusher(running.url) as pusher:
            base = made_image(BASE, label="debian")
            arm = made_image(made_layer("arm", b"arm"), architecture="arm64")
            pusher.push_index("library/debian", "bookworm", [base, arm])
            pusher.push("shop/app", made_image(BASE, APP), "1.0")
        yield running


@pytest.fixture
def folder(
    server: DockerRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.chdir(tmp_path)
    text = f"database_url: sqlite:///{tmp_path}/w.db\n{CONFIG.format(url=server.url)}"
    (tmp_path / "weighbridge.yaml").write_text(text)
    return tmp_path


def answered(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert run([*arguments, "-o", "json"]) == code
    return json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("folder")
def test_a_crawl_by_hand_reads_the_bases_that_are_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = answered(capsys, "crawl")
    found = answered(capsys, "bases")
    listed = answered(capsys, "top")

    assert report["errors"] == []
    assert [item["repository"] for item in listed["items"]] == ["shop/app"]
    (base,) = found["items"]
    assert (base["reference"], base["images"]) == ("library/debian:bookworm", 1)
    assert base["state"] == "current"
    seeding = found["seeding"]
    assert (seeding["repositories"], seeding["read"]) == (2, 1)
    assert seeding["tags_read"] == 1
    (failing,) = seeding["failing"]
    assert failing["reference"] == "library/python"
    assert failing["code"] == "name_unknown"


@pytest.mark.usefixtures("folder")
def test_inspect_says_what_an_image_stands_on_where_a_database_knows_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (before,) = answered(capsys, "inspect", "near/shop/app:1.0")["images"]
    answered(capsys, "crawl")
    (after,) = answered(capsys, "inspect", "near/shop/app:1.0")["images"]

    assert before["base"] is None
    base = after["base"]
    assert (base["reference"], base["layers"]) == ("library/debian:bookworm", 1)
    assert base["compressed_bytes"] == after["layers"][0]["compressed_bytes"]
    assert (base["relation"], base["found_by"]) == ("base", "layers")


@pytest.mark.usefixtures("folder")
def test_a_gate_passes_on_a_base_that_is_certain_alone(
    server: DockerRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    image = f"{server.address}/shop/app:1.0"
    before = answered(capsys, "check", image, code=3)
    allowed_unknown = answered(capsys, "check", image, "--allow-unknown")
    answered(capsys, "crawl")
    over = answered(capsys, "check", image, code=1)
    own = ("--allowed-bases", "debian", "--max-base-age", "1d")
    kept = answered(capsys, "check", image, *own)

    def findings(report: Any) -> list[tuple[str, str]]:
        (one,) = report["images"]
        return [(each["limit"], each["outcome"]) for each in one["findings"]]

    assert findings(before) == [("allowed_bases", "unknown")]
    assert findings(allowed_unknown) == [("allowed_bases", "warn")]
    assert findings(over) == [("allowed_bases", "fail")]
    assert findings(kept) == [("allowed_bases", "pass"), ("max_base_age", "pass")]


@pytest.mark.usefixtures("folder")
def test_a_gate_says_in_words_what_the_base_is(
    server: DockerRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    answered(capsys, "crawl")

    assert run(["check", f"{server.address}/shop/app:1.0"]) == 1

    shown = " ".join(capsys.readouterr().out.split())
    assert "base library/debian:bookworm limit library/debian:*-slim" in shown
    assert "not allowed, policy slim" in shown
    assert "build it on a base that is allowed" in shown


def test_a_gate_asks_a_service_for_the_bases_that_it_knows(
    server: DockerRegistry, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answered(capsys, "crawl")
    bind = free_address()
    with (folder / "weighbridge.yaml").open("a") as file:
        file.write(f'web: {{bind: "{bind}"}}\n')
    up = [sys.executable, "-m", "weighbridge", "up"]
    with serving(up, folder, bind, "/readyz"):
        over = answered(
            capsys,
            "check",
            f"{server.address}/shop/app:1.0",
            "--server",
            f"http://{bind}",
            "--max-base-age",
            "1d",
            code=1,
        )

    (image,) = over["images"]
    assert [(each["limit"], each["outcome"]) for each in image["findings"]] == [
        ("allowed_bases", "fail"),
        ("max_base_age", "pass"),
    ]
