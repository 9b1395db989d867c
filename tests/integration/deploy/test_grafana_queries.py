"""Every query of the dashboards, asked of a Prometheus that scrapes the demo."""

import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pytest

from support.grafana import DASHBOARDS, GRAFANA
from support.grafana.dashboard import Dashboard, QueryVariable, read_dashboards
from support.grafana.panels import Shown, Table
from support.grafana.parts import Target
from support.prometheus import Job, Prometheus, Sample, each_second, prometheus
from support.wait import wait_in_thread
from support.weighbridge_up import weighbridge_up

OVERVIEW: Final = "weighbridge-overview"
REPOSITORY: Final = "weighbridge-repository"
CONFIG: Final = """
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
MAY_BE_EMPTY: Final = {
    (OVERVIEW, "Failures"): "nothing fails in the demo, and such a series begins with"
    " the first failure",
    (OVERVIEW, "95 % of requests are answered within"): "nothing is asked while it is"
    " scraped: the demo crawls before it serves, then once an hour",
    (OVERVIEW, "Of these unchanged"): "as above",
    (OVERVIEW, "Request allowance left"): "the demo registry states no limit",
    (OVERVIEW, "Workers"): "the demo is one process, without workers",
    (OVERVIEW, "Messages that wait"): "as above",
    (OVERVIEW, "Messages that wait, by queue"): "as above",
    (OVERVIEW, "Waits longest"): "as above",
    (OVERVIEW, "Tasks that failed"): "as above",
    (OVERVIEW, "Tasks"): "as above",
    (REPOSITORY, "Newest image pushed"): "two tags of shop/api moved at once: neither a"
    " push nor a move chose the newest image",
    (REPOSITORY, "Pushes"): "as above",
}
FILLED: Final = {
    "$__rate_interval": "5s",
    "$__range": "1m",
    "$job": ".+",
}
OF_OVERVIEW: Final = {"$registry": ".+", "$repository": ".+"}
OF_REPOSITORY: Final = {"$registry": "demo", "$repository": "shop/api"}


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """With the rules that we ship, and some seconds of the demo."""
    folder = tmp_path_factory.mktemp("grafana")
    rules = sorted((GRAFANA.parent / "prometheus").glob("weighbridge.*s.yml"))
    rules = [path for path in rules if not path.name.endswith(".tests.yml")]
    with weighbridge_up(folder / "up", CONFIG, "--demo") as up:
        # Two instances that say the same, as processes that serve one database do.
        both = (up.address, up.address.replace("127.0.0.1", "localhost"))
        jobs = {
            "weighbridge": Job("/metrics", both),
            "weighbridge-repositories": Job("/metrics/repositories", both),
        }
        config = each_second(jobs, rules)
        with prometheus(folder / "prometheus", config) as server:
            _wait_for_scrapes(server)
            yield server


def _wait_for_scrapes(server: Prometheus) -> None:
    """A rate needs two samples of both jobs within its window."""
    scrapes = "min (count_over_time (up[1m])) > 6 and count (up == 1) == 4"
    wait_in_thread(
        lambda: bool(server.now(scrapes)),
        "both endpoints of both are scraped",
        deadline_s=40,
        seen=lambda: server.log[-2_000:],
    )


@pytest.fixture(scope="module")
def dashboards() -> dict[str, Dashboard]:
    return read_dashboards(DASHBOARDS)


def filled(text: str, uid: str) -> str:
    """As Grafana fills in what was chosen, with everything on the overview."""
    for name, value in (OF_OVERVIEW if uid == OVERVIEW else OF_REPOSITORY).items():
        text = text.replace(name, value)
    for name, value in FILLED.items():
        text = text.replace(name, value)
    assert "$" not in text
    return text


def asked(server: Prometheus, target: Target, uid: str) -> list[Sample]:
    expression = filled(target.expr, uid)
    if target.instant:
        return server.now(expression)
    end = time.time()
    return server.over_time(expression, end - 5, end)


def has_data(samples: Sequence[Sample]) -> bool:
    return any(not math.isnan(value) for _, values in samples for value in values)


@pytest.mark.parametrize("uid", [OVERVIEW, REPOSITORY])
def test_every_query_gives_what_the_demo_has(
    scraped: Prometheus, dashboards: dict[str, Dashboard], uid: str
) -> None:
    empty = set()
    for panel in dashboards[uid].shown:
        for target in panel.targets:
            if not has_data(asked(scraped, target, uid)):
                empty.add((uid, panel.title))

    assert empty - MAY_BE_EMPTY.keys() == set()


def test_no_two_series_of_a_query_look_alike(
    scraped: Prometheus, dashboards: dict[str, Dashboard]
) -> None:
    """As those of two processes that serve one database would, or of a label that is
    not in the name of a line."""
    for uid, dashboard in dashboards.items():
        for panel in dashboard.shown:
            for target in panel.targets:
                samples = asked(scraped, target, uid)
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
    scraped: Prometheus, dashboards: dict[str, Dashboard], title: str, expected: int
) -> None:
    (panel,) = [p for p in dashboards[OVERVIEW].shown if p.title == title]

    ((_, values),) = asked(scraped, panel.targets[0], OVERVIEW)

    assert values == [expected]


def test_nothing_is_grown_too_much_below_the_least_bytes(
    scraped: Prometheus, dashboards: dict[str, Dashboard]
) -> None:
    (panel,) = [p for p in dashboards[OVERVIEW].shown if p.title == "Grown too much"]
    wanted = filled(panel.targets[0].expr, OVERVIEW)
    minimum = "min by (registry, repository) (weighbridge_repository_growth_minimum_"
    assert minimum in wanted

    # Two gigabytes in place of what policy says.
    ((_, values),) = scraped.now(wanted.replace(minimum, f"2e9 + 0 * {minimum}"))

    assert values == [0]


def test_every_variable_finds_values(
    scraped: Prometheus, dashboards: dict[str, Dashboard]
) -> None:
    found = {}
    for uid, dashboard in dashboards.items():
        for variable in dashboard.templating.list:
            if isinstance(variable, QueryVariable):
                query = filled(variable.query.query, uid)
                matched = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
                assert matched is not None, query
                found[uid, variable.name] = scraped.label_values(*matched.groups())

    jobs = ["weighbridge", "weighbridge-repositories"]
    assert {key: values for key, values in found.items() if key[1] == "job"} == {
        (OVERVIEW, "job"): jobs,
        (REPOSITORY, "job"): jobs,
    }
    assert found[OVERVIEW, "registry"] == found[REPOSITORY, "registry"] == ["demo"]
    assert "shop/api" in found[REPOSITORY, "repository"]
    assert found[OVERVIEW, "repository"] == found[REPOSITORY, "repository"]


def test_the_annotations_are_answered(
    scraped: Prometheus, dashboards: dict[str, Dashboard]
) -> None:
    for uid, dashboard in dashboards.items():
        for annotation in dashboard.annotations.list:
            samples = scraped.now(filled(annotation.expr, uid))
            assert samples or (uid, annotation.name) in MAY_BE_EMPTY


def test_what_may_be_empty_is_there(dashboards: dict[str, Dashboard]) -> None:
    titles = {
        (uid, title)
        for uid, dashboard in dashboards.items()
        for title in (
            *(panel.title for panel in dashboard.shown),
            *(annotation.name for annotation in dashboard.annotations.list),
        )
    }

    assert MAY_BE_EMPTY.keys() <= titles
