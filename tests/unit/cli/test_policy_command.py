"""`weighbridge policy explain`: which policy decides what, and where it is written."""

import csv
import io
import json
from pathlib import Path

import pytest

from weighbridge.cli.main import run

MAIN = """\
registries:
  - {name: harbor, url: "https://harbor.example:8443"}
  - {name: hub, url: "https://registry-1.docker.io"}
policy_files: ["policies.d/*.yaml"]
policies:
  - name: shop
    match: {registry: harbor, repository: "shop/*"}
    team: shop
    max_compressed: 500MB
    max_growth: 12.5%
"""
ALL = """\
policies:
  - name: dev
    match: {tag: "*-dev"}
    max_uncompressed: null
  - name: everything
    max_uncompressed: 1GiB
    max_growth: 25%
    max_layers: 60
    max_layer_compressed: 300MB
    max_deduplicated: 200GB
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WEIGHBRIDGE_CONFIG", raising=False)
    (tmp_path / "weighbridge.yaml").write_text(MAIN)
    (tmp_path / "policies.d").mkdir()
    (tmp_path / "policies.d/all.yaml").write_text(ALL)
    return tmp_path


def explained(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["policy", "explain", *arguments]) == 0
    return capsys.readouterr().out


def test_the_table_names_value_policy_and_place_of_each_key(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = explained(capsys, "harbor/shop/api:1.4")

    assert out == (
        "harbor/shop/api:1.4\n"
        "KEY                   VALUE      POLICY      WRITTEN IN\n"
        "team                  shop       shop        weighbridge.yaml:8\n"
        "max_compressed        500 MB     shop        weighbridge.yaml:9\n"
        "max_uncompressed      1.07 GB    everything  policies.d/all.yaml:6\n"
        "max_growth            12.5%      shop        weighbridge.yaml:10\n"
        "min_growth            none                   no policy sets it\n"
        "max_layers            60 layers  everything  policies.d/all.yaml:8\n"
        "max_layer_compressed  300 MB     everything  policies.d/all.yaml:9\n"
        "allowed_bases         none                   no policy sets it\n"
        "max_base_age          none                   no policy sets it\n"
        "notify_base_moved     none                   no policy sets it\n"
        "max_deduplicated      200 GB     everything  policies.d/all.yaml:10\n"
        "severity              warning                no policy sets it\n"
    )


def test_units_are_those_that_were_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = explained(capsys, "harbor/shop/api", "--units", "iec")

    assert "max_uncompressed      1.00 GiB" in out


def test_json_and_csv_hold_numbers_for_programs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = json.loads(explained(capsys, "harbor/shop/api", "-o", "json"))
    rows = csv.DictReader(
        io.StringIO(explained(capsys, "harbor/shop/api", "-o", "csv"))
    )

    assert whole["reference"] == "harbor/shop/api:latest"
    items = {item["key"]: item for item in whole["items"]}
    assert items["max_compressed"] == {
        "key": "max_compressed",
        "value": 500_000_000,
        "policy": "shop",
        "file": "weighbridge.yaml",
        "line": 9,
    }
    assert items["max_growth"]["value"] == 0.125
    assert items["min_growth"] == {
        "key": "min_growth",
        "value": None,
        "policy": None,
        "file": None,
        "line": None,
    }
    assert [row["value"] for row in rows] == [
        "shop",
        "500000000",
        "1073741824",
        "0.125",
        "",
        "60",
        "300000000",
        "",
        "",
        "",
        "200000000000",
        "warning",
    ]


def test_markdown_marks_every_cell_as_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = explained(capsys, "harbor/shop/api", "-o", "markdown")

    assert "| `max_compressed` | `500 MB` | `shop` | `weighbridge.yaml:9` |\n" in out


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("harbor/shop/api", "harbor/shop/api:latest"),
        ("harbor.example:8443/shop/api", "harbor/shop/api:latest"),
        ("docker.io/shop/api:1", "hub/shop/api:1"),
        ("python:3.12", "hub/library/python:3.12"),
        ("other.example/a", "other.example/a:latest"),
        (f"harbor/shop/api@sha256:{'a' * 64}", "harbor/shop/api"),
    ],
)
def test_an_address_that_is_configured_is_that_registry(
    ref: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explained(capsys, ref).splitlines()[0] == name


def test_a_registry_is_found_by_every_name_of_its_host(
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = MAIN.replace("registry-1.docker.io", "docker.io")
    Path("weighbridge.yaml").write_text(other)

    out = explained(capsys, "docker.io/shop/api:1")

    assert out.splitlines()[0] == "hub/shop/api:1"


def test_null_is_no_limit_and_names_who_said_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = explained(capsys, "harbor/shop/api:1-dev")

    line = "max_uncompressed      none       dev         policies.d/all.yaml:4\n"
    assert line in out


def test_no_database_is_opened_or_made(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    explained(capsys, "harbor/shop/api")

    assert sorted(path.name for path in folder.iterdir()) == [
        "policies.d",
        "weighbridge.yaml",
    ]


def test_without_configuration_the_default_policy_is_explained(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "weighbridge.yaml").unlink()

    out = explained(capsys, "python:3.7")

    assert "max_growth            25%      default  built in\n" in out
    assert "min_growth            50.0 MB  default  built in\n" in out


def test_what_is_no_reference_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "explain", "HUB"]) == 2

    assert "[invalid_reference]" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["policy explain python", "config check", "up"])
def test_a_wrong_policy_file_ends_a_command_with_every_fault(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "policies.d/bad.yaml").write_text(
        "policies:\n  - {name: a, max_growth: 25}\n  - {name: a, team: ''}\n"
    )

    assert run(command.split()) == 2

    err = capsys.readouterr().err
    assert "policies.d/bad.yaml:2  policies[0].max_growth = 25  needs a unit" in err
    assert "policies.d/bad.yaml:3  policies[1].team" in err
    assert "3 errors" in err


def test_the_check_counts_policies(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "check"]) == 0

    out = capsys.readouterr().out
    assert out == (
        "weighbridge.yaml: fine, 2 registries, 3 policies\n"
        "harbor: its kind is found when it is asked:"
        " weighbridge registry check harbor\n"
        "hub: dockerhub, as its host is known\n"
    )


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "explain", "--help"]) == 0

    assert "weighbridge policy explain harbor/shop/api" in capsys.readouterr().out


def test_config_show_leaves_out_what_a_policy_does_not_say(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["config", "show", "-o", "json"]) == 0

    (shop,) = json.loads(capsys.readouterr().out)["settings"]["policies"]
    assert shop == {
        "name": "shop",
        "match": {"registry": "harbor", "repository": "shop/*", "tag": "*"},
        "team": "shop",
        "max_compressed": "500MB",
        "max_growth": "12.5%",
    }
