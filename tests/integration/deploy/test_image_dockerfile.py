"""The Dockerfile, read: no engine is here to build it."""

import json
import re
import tomllib
from typing import Final

import pytest

from support.dockerfile import Stage, stages_of
from support.own_image import ROOT

TEXT: Final = (ROOT / "Dockerfile").read_text()
BEFORE, BUILD, FINAL = stages_of(TEXT)


def source_files() -> set[str]:
    """What the build context has, by .dockerignore."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return {line.removeprefix("!") for line in lines if line.startswith("!")}


def test_the_build_runs_the_script_that_the_tests_run() -> None:
    copied, run = BUILD.every("COPY")[-1], BUILD.every("RUN")[-1]

    assert copied == ". /source"
    assert run == "/source/deploy/image/rootfs ${EMBEDDED:+--embedded} /rootfs"
    assert (ROOT / "deploy/image/rootfs").stat().st_mode & 0o111


def test_the_image_is_what_the_script_has_made_and_nothing_else() -> None:
    assert FINAL.every("FROM") == ["scratch"]
    assert FINAL.every("COPY") == ["--from=build /rootfs /"]
    assert not FINAL.every("RUN")


def test_the_context_has_what_the_script_reads() -> None:
    assert source_files() >= {
        "deploy/image",
        "service",
        "workers",
        "pyproject.toml",
        "requirements.lock",
        "requirements-dev.lock",
        "README.md",
        "LICENSE",
    }
    for name in source_files():
        assert (ROOT / name).exists(), name


def test_the_base_is_an_argument_with_a_release_in_its_name() -> None:
    (base,) = BEFORE.every("ARG")

    assert re.fullmatch(r"BASE=\S+[:@]\S*\d\S*", base)
    assert "latest" not in base
    assert BUILD.every("FROM") == ["${BASE} AS build"]


@pytest.mark.parametrize("stage", [BUILD, FINAL], ids=["build", "final"])
def test_nothing_is_added_from_elsewhere(stage: Stage) -> None:
    assert not stage.every("ADD")
    for text in stage.every("RUN"):
        assert not re.search(r"\b(curl|wget|git)\b|https?://", text)


def test_it_runs_as_a_user_with_numbers() -> None:
    # Kubernetes' runAsNonRoot cannot judge a name.
    assert FINAL.every("USER") == ["65532:65532"]


def test_programs_are_started_without_a_shell() -> None:
    health = FINAL.every("HEALTHCHECK")[0].partition("CMD ")[2]

    assert FINAL.words("ENTRYPOINT") == ["/usr/bin/weighbridge"]
    assert FINAL.words("CMD") == ["up", "--bind", "0.0.0.0:8080"]
    assert json.loads(health) == ["/usr/bin/weighbridge", "health"]


def test_only_data_is_a_volume_and_it_ends_by_sigterm() -> None:
    assert FINAL.words("VOLUME") == ["/data"]
    assert FINAL.every("STOPSIGNAL") == ["SIGTERM"]
    assert FINAL.pairs("ENV")["STATE_DIRECTORY"] == "/data"


def test_its_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    labels = FINAL.pairs("LABEL")

    assert labels["org.opencontainers.image.version"] == project["version"]
    assert labels["org.opencontainers.image.licenses"] == project["license"]
    assert labels["org.opencontainers.image.description"] == project["description"]
