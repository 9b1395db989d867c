"""The dashboards are what their builders make, and hold to our rules."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
import yaml

from support.grafana import DASHBOARDS, GRAFANA
from support.grafana.checker import complaints
from support.grafana.dashboard import Dashboard, QueryVariable, read_dashboards
from support.metric_catalogue import metric_catalogue

NAMES: Final = ("weighbridge-overview", "weighbridge-repository")


def generate(folder: Path, *arguments: str) -> dict[str, str]:
    command = [sys.executable, str(GRAFANA / "generate.py"), "--to", str(folder)]
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return {path.name: path.read_text("utf-8") for path in folder.iterdir()}


@pytest.fixture(scope="module")
def dashboards() -> dict[str, Dashboard]:
    return read_dashboards(DASHBOARDS)


def test_the_committed_files_are_what_the_builders_make(tmp_path: Path) -> None:
    committed = {path.name: path.read_text("utf-8") for path in DASHBOARDS.iterdir()}

    made = generate(tmp_path)

    assert made == committed, "run `make dashboards`"


def test_they_are_made_by_no_more_than_the_standard_library(tmp_path: Path) -> None:
    done = subprocess.run(
        # Without what is installed, and without the paths of the environment.
        [sys.executable, "-SE", str(GRAFANA / "generate.py"), "--to", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.stderr == ""
    assert len(list(tmp_path.iterdir())) == len(NAMES)


def test_the_address_of_the_pages_can_be_said(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()

    made = generate(
        tmp_path / "elsewhere", "--external-url", "https://weigh.example.org/"
    )

    for text in made.values():
        assert '"query": "https://weigh.example.org"' in text
        assert "127.0.0.1" not in text


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wrong_with_a_dashboard(
    dashboards: dict[str, Dashboard], name: str
) -> None:
    dashboard = dashboards[name]

    assert dashboard.uid == name
    assert complaints(dashboard, metric_catalogue(), NAMES) == []


def test_there_are_these_two(dashboards: dict[str, Dashboard]) -> None:
    assert tuple(dashboards) == NAMES


def test_the_overview_begins_with_all_and_the_repository_with_one(
    dashboards: dict[str, Dashboard],
) -> None:
    several = {
        (uid, variable.name): variable.multi
        for uid, dashboard in dashboards.items()
        for variable in dashboard.templating.list
        if isinstance(variable, QueryVariable) and variable.name != "job"
    }

    assert several == {
        ("weighbridge-overview", "registry"): True,
        ("weighbridge-overview", "repository"): True,
        ("weighbridge-repository", "registry"): False,
        ("weighbridge-repository", "repository"): False,
    }


def test_the_provisioned_dashboards_are_not_changed_in_the_browser() -> None:
    text = (GRAFANA / "provisioning/dashboards/weighbridge.yaml").read_text("utf-8")

    (provider,) = yaml.safe_load(text)["providers"]

    assert provider["type"] == "file"
    assert provider["allowUiUpdates"] is False
    assert Path(provider["options"]["path"]).is_absolute()


def test_the_provisioned_data_source_is_a_prometheus() -> None:
    text = (GRAFANA / "provisioning/datasources/weighbridge.yaml").read_text("utf-8")

    (source,) = yaml.safe_load(text)["datasources"]

    assert (source["type"], source["access"]) == ("prometheus", "proxy")
    # Below the slower scrape interval a window of a rate would hold one sample only.
    assert source["jsonData"]["timeInterval"] == "60s"
