"""Every query of the dashboards, asked of a Prometheus that scrapes the demo."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from support.grafana import DASHBOARDS, GRAFANA
from support.grafana.asking import (
    ONLY_WITH_A_LIMIT,
    ONLY_WITH_PUSHES,
    ONLY_WITH_WORKERS,
    OVERVIEW,
    REPOSITORY,
    Asking,
    filled,
)
from support.grafana.dashboard import Dashboard, QueryVariable, read_dashboards
from support.grafana.panels import Shown, Table
from support.grafana.parts import Target
from support.prometheus import Job, each_second, prometheus
from support.weighbridge_up import weighbridge_up

CONFIG: Final = """
defaults: {interval: 2s}
metrics: {families: [largest, tags, pushed, audited]}
policies:
  - name: shop
    match: {repository: "shop/*"}
    team: shop
    max_compressed: 500MB
    max_uncompressed: 1.2GB
    max_growth: 25%
    min_growth: 50MB
"""
SCRAPED: Final = (
    "min (count_over_time (up[1m])) > 6 and count (up == 1) == 4",
    # It was crawled since.
    "sum (increase (weighbridge_crawl_manifests_unchanged_total[1m])) > 0",
    'count (ALERTS{alertstate="firing"}) > 0',
)


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    """With the rules that we ship, and some seconds of the demo."""
    folder = tmp_path_factory.mktemp("grafana")
    with weighbridge_up(folder / "up", CONFIG, "--demo") as up:
        # Two instances that say the same, as processes that serve one database do.
        both = (up.address, up.address.replace("127.0.0.1", "localhost"))
        jobs = {
            "weighbridge": Job("/metrics", both),
            "weighbridge-repositories": Job("/metrics/repositories", both),
        }
        config = each_second(jobs, hasty_rules(folder))
        with prometheus(folder / "prometheus", config) as server:
            asking = Asking(server)
            for expression in SCRAPED:
                asking.wait_for(expression, lambda: server.log[-2_000:])
            yield asking


def hasty_rules(folder: Path) -> list[Path]:
    """Ours, with alerts that do not wait before they fire."""
    shipped = GRAFANA.parent / "prometheus"
    alerts = (shipped / "weighbridge.alerts.yml").read_text("utf-8")
    hasty, waits = re.subn(r"^ +for: .+\n", "", alerts, flags=re.MULTILINE)
    assert waits
    (folder / "alerts.yml").write_text(hasty, "utf-8")
    return [shipped / "weighbridge.rules.yml", folder / "alerts.yml"]


@pytest.fixture(scope="module")
def dashboards() -> dict[str, Dashboard]:
    return read_dashboards(DASHBOARDS)


def test_every_query_of_the_overview_gives_what_the_demo_has(
    scraped: Asking, dashboards: dict[str, Dashboard]
) -> None:
    empty = scraped.empty_panels(dashboards[OVERVIEW])

    assert empty == ONLY_WITH_WORKERS | ONLY_WITH_A_LIMIT | ONLY_WITH_PUSHES


def test_every_query_about_a_repository_gives_what_the_demo_has(
    scraped: Asking, dashboards: dict[str, Dashboard]
) -> None:
    assert scraped.empty_panels(dashboards[REPOSITORY]) == set()


def test_the_alert_about_the_demo_is_shown(
    scraped: Asking, dashboards: dict[str, Dashboard]
) -> None:
    (panel,) = [p for p in dashboards[OVERVIEW].shown if p.title == "Alerts that fire"]

    rows = scraped.samples(panel.targets[0], OVERVIEW)

    over_limit = {
        "alertname": "WeighbridgeImageOverLimit",
        "severity": "warning",
        "registry": "demo",
        "repository": "shop/api",
        "team": "shop",
    }
    (values,) = [values for labels, values in rows if labels == over_limit]
    assert 0 < values[0] < 300


@pytest.mark.parametrize("what", ["requests", "crawls"])
def test_nothing_has_failed_on_the_demo(
    scraped: Asking, dashboards: dict[str, Dashboard], what: str
) -> None:
    (panel,) = [p for p in dashboards[OVERVIEW].shown if p.title == "Failures"]
    (target,) = [t for t in panel.targets if f" {what}: " in t.legendFormat]

    ((labels, values),) = scraped.samples(target, OVERVIEW)

    assert labels == {"registry": "demo", "reason": "none"}
    assert set(values) == {0}


def test_no_two_series_of_a_query_look_alike(
    scraped: Asking, dashboards: dict[str, Dashboard]
) -> None:
    """As those of two processes that serve one database would, or of a label that is
    not in the name of a line."""
    for uid, dashboard in dashboards.items():
        for panel in dashboard.shown:
            for target in panel.targets:
                samples = scraped.samples(target, uid)
                names = [named(panel, target, labels) for labels, _ in samples]
                assert len(set(names)) == len(names), (panel.title, names)


def named(panel: Shown, target: Target, labels: Mapping[str, str]) -> str:
    """What a person sees of the labels of a series."""
    if isinstance(panel, Table):
        columns = panel.transformations[1].options.renameByName
        return str([labels.get(column) for column in columns])
    form = target.legendFormat
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), form)


@pytest.mark.parametrize(
    ("title", "expected"), [("Over a limit", 1), ("Grown too much", 1), ("Left out", 0)]
)
def test_the_push_that_grew_by_600_megabytes_is_counted_once(
    scraped: Asking, dashboards: dict[str, Dashboard], title: str, expected: int
) -> None:
    (panel,) = [p for p in dashboards[OVERVIEW].shown if p.title == title]

    ((_, values),) = scraped.samples(panel.targets[0], OVERVIEW)

    assert values == [expected]


def test_nothing_is_grown_too_much_below_the_least_bytes(
    scraped: Asking, dashboards: dict[str, Dashboard]
) -> None:
    (panel,) = [p for p in dashboards[OVERVIEW].shown if p.title == "Grown too much"]
    wanted = filled(panel.targets[0].expr, OVERVIEW)
    minimum = "min by (registry, repository) (weighbridge_repository_growth_minimum_"
    assert minimum in wanted

    # Two gigabytes in place of what policy says.
    ((_, values),) = scraped.server.now(wanted.replace(minimum, f"2e9 + 0 * {minimum}"))

    assert values == [0]


def test_every_variable_finds_values(
    scraped: Asking, dashboards: dict[str, Dashboard]
) -> None:
    found = {}
    for uid, dashboard in dashboards.items():
        for variable in dashboard.templating.list:
            if isinstance(variable, QueryVariable):
                query = filled(variable.query.query, uid)
                matched = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
                assert matched is not None, query
                found[uid, variable.name] = scraped.server.label_values(
                    *matched.groups()
                )

    jobs = ["weighbridge", "weighbridge-repositories"]
    assert {key: values for key, values in found.items() if key[1] == "job"} == {
        (OVERVIEW, "job"): jobs,
        (REPOSITORY, "job"): jobs,
    }
    assert found[OVERVIEW, "registry"] == found[REPOSITORY, "registry"] == ["demo"]
    assert "shop/api" in found[REPOSITORY, "repository"]
    assert found[OVERVIEW, "repository"] == found[REPOSITORY, "repository"]


def test_the_annotations_are_answered(
    scraped: Asking, dashboards: dict[str, Dashboard]
) -> None:
    for uid, dashboard in dashboards.items():
        for annotation in dashboard.annotations.list:
            samples = scraped.server.now(filled(annotation.expr, uid))
            assert samples, (uid, annotation.name)
