"""`weighbridge config show`: YAML that can be read back, and JSON."""

import json
from pathlib import Path

import pytest
import yaml

from weighbridge.cli.main import run

FILE = """\
registries:
  - name: far
    url: https://registry.example
    auth: {username: "ann #1", password_file: password}
    tags: {exclude: ["*-dev"]}
web: {bind: "[::1]:9000"}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", "sqlite:///w.db")
    Path("weighbridge.yaml").write_text(FILE)
    Path("password").write_text("c4nary\n")


def settings_shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> object:
    assert run(["config", "show", "-o", "json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)["settings"]


def test_what_is_shown_is_a_configuration_that_means_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["config", "show"]) == 0
    out = capsys.readouterr().out
    Path("shown.yaml").write_text(out)

    again = settings_shown(capsys, "--config", "shown.yaml")

    assert again == settings_shown(capsys)
    assert "c4nary" not in out
    assert "'ann #1'" in out


def test_each_line_tells_where_its_value_is_from(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(["config", "show"])

    lines = capsys.readouterr().out.splitlines()
    told = {line.split(":")[0].strip(" -"): line for line in lines}
    assert told["url"].endswith("# weighbridge.yaml:3")
    assert told["database_url"].endswith("# WEIGHBRIDGE_DATABASE_URL")
    assert told["external_url"].endswith("# default")
    places = {line.index("  # ") for line in lines if "  # " in line}
    assert len(places) == 1


def test_json_has_the_values_and_their_origins(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["config", "show", "-o", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    run(["config", "show"])
    text = capsys.readouterr().out

    assert shown["settings"] == yaml.safe_load(text)
    assert shown["origins"]["registries[0].auth.username"] == "weighbridge.yaml:4"
    assert shown["origins"]["web.bind"] == "weighbridge.yaml:6"


def test_a_faulty_file_is_told_as_by_check(capsys: pytest.CaptureFixture[str]) -> None:
    Path("weighbridge.yaml").write_text("web: {bin: 1}\n")

    assert run(["config", "show"]) == 2

    assert "did you mean bind?" in capsys.readouterr().err
