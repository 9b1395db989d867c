"""`weighbridge compare` of what was crawled: by name, by address, and what is not
known."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from support.images import a_layer, an_artifact_of, an_image
from support.store_world import World
from weighbridge.cli.main import run
from weighbridge.domain.image.document import Line
from weighbridge.store.schema import upgrade
from weighbridge.store.session import open_database

MB: Final = 1_000_000
DEBIAN = a_layer("debian", 50 * MB)
OLD: Final = an_image(
    [DEBIAN, a_layer("old", 3 * MB)],
    lines=[Line("ADD debian /", None, 0), Line("COPY . /app", None, 1)],
)
NEW: Final = an_image(
    [DEBIAN, a_layer("new", 4 * MB)],
    lines=[Line("ADD debian /", None, 0), Line("COPY . /app", None, 1)],
)
ADDRESS: Final = "registry.example:5000"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database of a registry that no configuration names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("WEIGHBRIDGE_CONFIG", "WEIGHBRIDGE_DATABASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    database = open_database("sqlite:///w.db")
    upgrade(database)
    world = World(database, url=f"https://{ADDRESS}")
    chart = an_artifact_of(a_layer("chart", 700), role="artifact")
    world.crawl({"1.4.2": OLD, "1.5.0": NEW, "chart": chart})
    database.close()
    return tmp_path


def compared(
    capsys: pytest.CaptureFixture[str], a: str, b: str, *more: str
) -> dict[str, Any]:
    assert run(["compare", a, b, "--database", "w.db", "-o", "json", *more]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def refused(capsys: pytest.CaptureFixture[str], a: str, b: str, *more: str) -> str:
    assert run(["compare", a, b, "--database", "w.db", *more]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err


@pytest.mark.parametrize("name", ["hub/acme/app", f"{ADDRESS}/acme/app"])
def test_what_was_crawled_is_found_by_its_name_and_by_its_address(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    found = compared(capsys, f"{name}:1.4.2", ":1.5.0")

    assert found["a"]["reference"] == "hub/acme/app:1.4.2"
    assert found["cost"] is None
    (images,) = found["images"]
    assert [line["change"] for line in images["lines"]] == ["same", "rebuilt"]
    assert images["pull_bytes"] == 4 * MB


def test_a_digest_of_the_same_repository_may_be_the_second(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = compared(capsys, "hub/acme/app:1.4.2", f"@{OLD.digest}")

    assert found["images"][0]["is_same"] is True


@pytest.mark.parametrize(
    ("b", "words"),
    [
        (
            ":1.5.1",
            "cannot weigh hub/acme/app:1.5.1: hub/acme/app never had a tag 1.5.1"
            " [tag_not_found]\n  nearest  1.5.0, 1.4.2\n",
        ),
        (
            "hub/acme/apq:1",
            "cannot weigh hub/acme/apq:1: hub/acme/apq was never crawled"
            " [repository_not_found]\n  nearest  hub/acme/app\n",
        ),
        (":chart", "cannot weigh hub/acme/app:chart: it has no such image"),
    ],
)
def test_what_only_the_database_could_know_is_asked_of_nobody_else(
    capsys: pytest.CaptureFixture[str], b: str, words: str
) -> None:
    assert refused(capsys, "hub/acme/app:1.4.2", b).startswith(words)


def test_a_platform_that_is_not_there_is_told_with_those_that_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    more = ("--platform", "linux/s390x")

    error = refused(capsys, "hub/acme/app:1.4.2", ":1.5.0", *more)

    assert error.endswith("[image_not_found]\n  it has  linux/amd64\n")


def test_a_database_that_is_named_and_absent_is_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["compare", "hub/acme/app:1", ":2", "--database", "none.db"]

    assert run(arguments) == 3
    assert "[no_database]" in capsys.readouterr().err
