"""The demo registry asked by a client that is not ours: skopeo."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from support.generated_content import generated_content
from weighbridge.demo.http.server import RunningDemo
from weighbridge.demo.story import demo_content

pytestmark = pytest.mark.skipif(
    shutil.which("skopeo") is None, reason="skopeo is not installed"
)


@pytest.fixture(scope="module")
def registry() -> Iterator[RunningDemo]:
    running = RunningDemo(demo_content())
    yield running
    running.close()


def skopeo(registry: RunningDemo, reference: str, *options: str) -> dict[str, object]:
    command = ["skopeo", "inspect", "--tls-verify=false", *options]
    done = subprocess.run(
        [*command, f"docker://{urlsplit(registry.url).netloc}/{reference}"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: object = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


def test_skopeo_reads_python_3_7(registry: RunningDemo) -> None:
    answer = skopeo(registry, "library/python:3.7")

    assert answer["Created"] == "2023-01-24T00:48:44Z"
    layers = answer["LayersData"]
    assert isinstance(layers, list)
    assert sum(int(layer["Size"]) for layer in layers) == 347_653_336


@pytest.mark.parametrize(
    "reference",
    [
        "library/python:3.7",
        "library/python:3",
        "library/buildpack-deps:trixie",
        "library/node:8",
        "shop/api:latest",
        "shop/web:latest",
        "ml/notebook:7.2.0-zstd",
        "data/etl:118",
        "tutorial/hello-alpine:latest",
    ],
)
def test_skopeo_reads_configs(registry: RunningDemo, reference: str) -> None:
    answer = skopeo(registry, reference, "--config")

    assert answer["os"] == "linux"
    assert answer["history"]


def test_skopeo_reads_the_other_platform(registry: RunningDemo) -> None:
    answer = skopeo(registry, "shop/web:latest", "--override-arch", "arm64", "--config")

    assert answer["architecture"] == "arm64"


def test_skopeo_reads_a_generated_image() -> None:
    running = RunningDemo(generated_content(repositories=3, tags=1_000_000))
    try:
        answer = skopeo(running, "load/r00002:t0999999", "--no-tags")
    finally:
        running.close()

    layers = answer["Layers"]
    assert isinstance(layers, list)
    assert len(layers) == 6
