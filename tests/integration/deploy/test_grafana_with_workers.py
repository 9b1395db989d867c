"""The queries that the demo alone has no answer for, where workers do the crawling."""

from collections.abc import Iterator
from typing import Final

import pytest

from support.distributed_demo import distributed_demo
from support.grafana import DASHBOARDS
from support.grafana.asking import (
    ONLY_WITH_A_LIMIT,
    ONLY_WITH_WORKERS,
    OVERVIEW,
    Asking,
)
from support.grafana.dashboard import Dashboard, read_dashboards
from support.prometheus import Job, Sample, each_second, prometheus
from weighbridge.ports.job_names import CRAWL, DISCOVER

HAPPENED: Final = (
    "weighbridge_workers > 0",
    'weighbridge_queue_tasks{queue="measure"} > 0',
    "weighbridge_registry_ratelimit_remaining < weighbridge_registry_ratelimit_limit",
    "weighbridge_task_failures_total > 0",
    "weighbridge_tasks_dropped_total > 0",
    # A second time, as a rate has to see it.
    'increase (weighbridge_crawl_failures_total{registry="gone"}[1m]) > 0',
    'increase (weighbridge_registry_request_failures_total{registry="gone"}[1m]) > 0',
    "increase (weighbridge_task_failures_total[1m]) > 0",
)


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    folder = tmp_path_factory.mktemp("workers")
    with distributed_demo(folder / "crew") as (crew, address):
        jobs = {
            "weighbridge": Job("/metrics", [address]),
            "weighbridge-repositories": Job("/metrics/repositories", [address]),
        }
        with prometheus(folder / "prometheus", each_second(jobs)) as server:
            asking = Asking(server)
            for expression in HAPPENED:
                crew.enqueue_tick()
                asking.wait_for(expression, lambda: crew.logs)
            yield asking


@pytest.fixture(scope="module")
def overview() -> Dashboard:
    return read_dashboards(DASHBOARDS)[OVERVIEW]


def shown(scraped: Asking, overview: Dashboard, title: str) -> list[list[Sample]]:
    """By the queries of a panel."""
    (panel,) = [panel for panel in overview.shown if panel.title == title]
    return [scraped.samples(target, OVERVIEW) for target in panel.targets]


@pytest.mark.long
def test_what_only_workers_or_a_limit_bring_is_there(
    scraped: Asking, overview: Dashboard
) -> None:
    empty = scraped.empty_panels(overview)

    assert empty & (ONLY_WITH_WORKERS | ONLY_WITH_A_LIMIT) == set()


def test_a_registry_that_is_down_is_among_the_failures(
    scraped: Asking, overview: Dashboard
) -> None:
    requests, crawls = shown(scraped, overview, "Failures")

    # Before the first failure there was none.
    assert reasons(requests, "gone") - {"none"} == {"connect"}
    assert reasons(crawls, "gone") - {"none"} == {"unreachable"}
    assert reasons(requests, "near") == reasons(crawls, "near") == {"none"}


def reasons(samples: list[Sample], registry: str) -> set[str]:
    return {labels["reason"] for labels, _ in samples if labels["registry"] == registry}


def test_what_is_left_of_the_limit_is_a_part_of_it(
    scraped: Asking, overview: Dashboard
) -> None:
    (samples,) = shown(scraped, overview, "Request allowance left")

    ((labels, values),) = samples

    assert labels == {"registry": "near"}
    assert all(0 < value < 1 for value in values)


def test_tasks_that_failed_are_told_from_those_that_were_dropped(
    scraped: Asking, overview: Dashboard
) -> None:
    _, failed, dropped = shown(scraped, overview, "Tasks")

    assert [labels for labels, _ in failed] == [{"task": DISCOVER}]
    assert [labels for labels, _ in dropped] == [
        {"task": CRAWL, "reason": "unknown_registry"}
    ]
