"""`weighbridge check` in front of the demo registry: what it exits with, and says.

Every case in a process of its own, over images that builders made, is a shell script:
`tests/e2e/check_exit_codes.sh`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from weighbridge.cli.main import run
from weighbridge.demo.http.server import RunningDemo
from weighbridge.demo.story import demo_content

POLICIES: Final = """\
policies:
  - {name: data, match: {tag: "*-data"}, max_compressed: 9GB}
  - {name: apps, match: {repository: "shop/*"}, max_compressed: 500MB}
"""
CONFIGURATION: Final = """\
registries: [{{name: local, url: "{url}"}}]
policies: [{{name: ours, match: {{registry: local}}, max_compressed: 500MB}}]
"""
CASES: Final = {
    "within": (0, "PASS", "shop/api:1.5.0 --max-compressed 2GB"),
    "over": (1, "over by 583 MB", "shop/api:1.5.0 --max-compressed 500MB"),
    "layer": (1, "largest layer", "shop/api:1.5.0 --max-layer-compressed 500MB"),
    "layers": (1, "layers", "shop/api:1.5.0 --max-layers 3"),
    "on disk": (0, "(trailer)", "tutorial/hello --max-uncompressed 1.2GB"),
    "low bound": (1, "over by at least", "ml/notebook --max-uncompressed 1GB"),
    "growth": (1, "torch", "shop/api:1.5.0 --against :1.4 --max-growth 10%"),
    "least growth": (
        *(0, "PASS"),
        "shop/api:1.5.0 --against :1.4 --max-growth 10% --min-growth 1GB",
    ),
    "no growth": (0, "0.0 %", "shop/api:1.4 --against :1.4 --max-growth 0%"),
    "no such tag": (3, "no such tag", "shop/api:9.9 --max-layers 9"),
    "no such tag before": (
        *(3, "no such tag"),
        "shop/api:1.5.0 --against :9.9 --max-growth 25%",
    ),
    "no repository": (3, "does not know", "shop/none --max-layers 9"),
    "no image": (3, "it is no image", "shop/charts/api:0.9.2 --max-layers 9"),
    "no platform": (
        *(3, "there is no linux/s390x"),
        "tutorial/hello --max-layers 9 --platform linux/s390x",
    ),
    "no limit": (2, "no limit is set", "shop/api:1.5.0"),
    "no baseline": (3, "not judged", "shop/api:1.5.0 --max-growth 10%"),
    "no baseline, which is allowed": (
        *(0, "not judged"),
        "shop/api:1.5.0 --max-growth 10% --allow-unknown",
    ),
    "no database": (
        *(3, "no_database"),
        "shop/api:1.5.0 --max-growth 10% --database none.db",
    ),
    "no unit": (2, "needs a unit", "shop/api --max-compressed 500"),
    "nothing": (2, "more than nothing", "shop/api --max-compressed 0MB"),
    "no percent": (2, "not a percentage", "shop/api --against :1 --max-growth 10"),
    "no layers": (2, "no number from 1", "shop/api --max-layers 0"),
    "no policy": (2, "cannot be read", "shop/api --policy none.yaml"),
    "no report": (2, "no form of a report", "shop/api --max-layers 9 --report a.txt"),
    "odd platform": (2, "not a platform", "shop/api --max-layers 9 --platform amd64"),
    "policy": (1, "policy apps (", "shop/api:1.5.0 --policy limits.yaml"),
    "policy beside an option": (
        *(1, "policy apps ("),
        "shop/api:1.5.0 --policy limits.yaml --max-layers 99",
    ),
    "policy behind an option": (
        *(0, "PASS"),
        "shop/api:1.5.0 --policy limits.yaml --max-compressed 2GB",
    ),
    "several policies": (
        *(1, "policy apps ("),
        "shop/api:1.5.0 --policy layers.yaml --policy limits.yaml",
    ),
    "no policy matches": (2, "no limit is set", "library/nginx --policy limits.yaml"),
    "configuration": (1, "policy ours", "shop/api:1.5.0 --config config.yaml"),
}
"""Exit code, what is said, and the command line behind the registry."""


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    running = RunningDemo(demo_content())
    yield running.url
    running.close()


@pytest.fixture
def home(demo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With files of policies, and nothing of whoever runs the tests."""
    for name in ("WEIGHBRIDGE_CONFIG", "WEIGHBRIDGE_TOKEN", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "limits.yaml").write_text(POLICIES)
    (tmp_path / "layers.yaml").write_text("policies: [{name: few, max_layers: 99}]")
    (tmp_path / "config.yaml").write_text(CONFIGURATION.format(url=demo))
    return tmp_path


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("case", CASES)
def test_it_ends_with_the_code_that_is_written_down(
    case: str, demo: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said, line = CASES[case]

    ended = run(["check", *f"{demo.removeprefix('http://')}/{line}".split(" ")])

    captured = capsys.readouterr()
    assert (ended, said in captured.out + captured.err) == (code, True), captured


@pytest.fixture(scope="module")
def crawled(demo: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database that knows one repository of the demo, and the tags that it has."""
    database = str(tmp_path_factory.mktemp("crawled") / "w.db")
    assert run(["crawl", f"{demo}/shop/api", "--database", database]) == 0
    return database


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("named", [True, False])
def test_growth_is_counted_from_what_a_database_knows(
    demo: str,
    crawled: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    named: bool,
) -> None:
    if not named:
        monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", f"sqlite:///{crawled}")
    told = ["--database", crawled] if named else []

    ended = run(["check", f"{demo}/shop/api:1.5.0", "--max-growth", "10%", *told])

    assert ended == 1
    assert "against the baseline" in capsys.readouterr().out


@pytest.mark.usefixtures("home")
def test_a_first_image_passes_with_a_note(
    demo: str, crawled: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # No other tag of the repository is of this kind.
    asked = ["check", f"{demo}/shop/api:latest", "--max-growth", "10%"]

    ended = run([*asked, "--database", crawled])

    said = " ".join(capsys.readouterr().out.split())
    assert ended == 0
    assert "earlier image" in said
    assert "so that its growth passes" in said


@pytest.mark.usefixtures("home")
def test_what_was_not_crawled_is_not_judged(
    demo: str, crawled: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["check", f"{demo}/library/python:3.7", "--max-growth", "10%"]

    ended = run([*asked, "--database", crawled])

    said = " ".join(capsys.readouterr().out.split())
    assert ended == 3
    assert "not judged: " in said
    assert "was not crawled to its end yet" in said
    assert "--against :TAG" in said
    assert run([*asked, "--database", crawled, "--allow-unknown"]) == 0


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("text", ["127.0.0.1:1/shop/app", "127.0.0.1:1"])
def test_a_registry_that_is_silent_is_no_registry_that_is_meant(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    has_repository = "/" in text

    assert run(["check", text, "--max-layers", "9"]) == (3 if has_repository else 2)
    words = "nothing listens" if has_repository else "is a registry, not an image"
    assert words in capsys.readouterr().err
