"""Pulls as Docker Hub, Harbor and Quay tell them, crawled twice: by listings that are
read anyhow, and by one request a day where names are all that is configured."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.harbor_replica.configured import crawl_harbor, harbor_settings
from support.harbor_replica.serving import harbor_replica
from support.harbor_replica.state import a_harbor
from support.hub_replica.configured import crawl_hub, hub_settings
from support.hub_replica.serving import hub_replica
from support.hub_replica.state import a_hub
from support.quay_replica.configured import crawl_quay, quay_settings
from support.quay_replica.serving import quay_replica
from support.quay_replica.state import a_quay
from weighbridge.demo.content.stored_documents import RegistryContent
from weighbridge.demo.story import demo_content
from weighbridge.domain.report.traffic import LastPulls, TrafficReport
from weighbridge.domain.traffic.months import month_of
from weighbridge.store.named_rows import find_place
from weighbridge.store.reports.traffic import find_traffic, last_pulls
from weighbridge.store.session import open_database

PYTHON = "library/python"
PULLED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def content() -> RegistryContent:
    return demo_content()


def told(database_url: str, registry: str) -> tuple[TrafficReport, LastPulls]:
    database = open_database(database_url)
    try:
        with database.read() as connection:
            place = find_place(connection, registry, PYTHON)
            assert place is not None
            month = month_of(datetime.now(UTC))
            return (
                find_traffic(connection, place.id, month),
                last_pulls(connection, place.id),
            )
    finally:
        database.close()


def test_docker_hub_counts_manifests_that_were_fetched_ours_too(
    content: RegistryContent, tmp_path: Path, database_url: str
) -> None:
    with hub_replica(a_hub(content)) as hub:
        hub.pulls[PYTHON] = 1_000_000
        tag, *_ = content.tags(PYTHON) or ()
        hub.pulled_at[PYTHON, tag] = PULLED_AT
        settings = hub_settings(tmp_path, hub, database_url, namespaces=["library"])
        crawl_hub(settings)
        ours = hub.pulls[PYTHON] - 1_000_000
        hub.pulls[PYTHON] += 50
        hub.take_counts()
        crawl_hub(settings)
        asked = hub.take_counts()
        found, last = told(database_url, "hub")

    assert hub.violations == []
    assert "repository" not in asked
    # None where this test runs across the end of a month.
    assert (found.pulls, found.counts) == (ours + 50, "manifests")
    assert (found.registry_pulls, found.registry_window_s) == (1_000_050 + ours, None)
    low, high = found.traffic_low_bytes or 0, found.traffic_high_bytes or 0
    assert 0 < low < high
    assert last.is_told
    assert last.by_tag[tag] == PULLED_AT


def test_a_repository_of_docker_hub_that_is_named_is_asked_for_once_a_day(
    content: RegistryContent, tmp_path: Path, database_url: str
) -> None:
    with hub_replica(a_hub(content)) as hub:
        hub.pulls[PYTHON] = 7
        settings = hub_settings(tmp_path, hub, database_url, include=["python"])
        crawl_hub(settings)
        crawl_hub(settings)
        asked = hub.take_counts()
        found, _ = told(database_url, "hub")

    assert hub.violations == []
    assert asked["repository"] == 1
    assert (found.registry_pulls, found.reason) == (7, "first_count")


@pytest.mark.parametrize("include", [["library/*"], [PYTHON]])
def test_harbor_counts_manifests_and_tells_when_artifacts_were_pulled(
    content: RegistryContent, tmp_path: Path, database_url: str, include: list[str]
) -> None:
    with harbor_replica(a_harbor(content)) as harbor:
        harbor.pulls[PYTHON] = 41
        tag, *_ = content.tags(PYTHON) or ()
        harbor.pulled_at[PYTHON, tag] = PULLED_AT
        settings = harbor_settings(tmp_path, harbor, database_url, include=include)
        crawl_harbor(settings)
        found, last = told(database_url, "harbor")

    assert harbor.violations == []
    assert (found.registry_pulls, found.counts) == (41, "manifests")
    assert last.by_tag[tag] == PULLED_AT
    # And its aliases, which lead to the same artifact.
    served = {t: content.manifest(PYTHON, t) for t in content.tags(PYTHON) or ()}
    pulled = {name for name, at in last.by_tag.items() if at is not None}
    assert pulled == {t for t, one in served.items() if one == served[tag]}


@pytest.mark.parametrize("is_named", [True, False])
def test_quay_counts_what_was_done_in_a_week(
    content: RegistryContent, tmp_path: Path, database_url: str, *, is_named: bool
) -> None:
    with quay_replica(a_quay(content)) as quay:
        quay.actions[PYTHON] = [1, 2, 3, 4, 5, 6, 7, 1_000]
        settings = quay_settings(
            tmp_path,
            quay,
            database_url,
            include=[PYTHON] if is_named else (),
            namespaces=() if is_named else ["library"],
        )
        crawl_quay(settings)
        crawl_quay(settings)
        asked = quay.take_counts()
        found, last = told(database_url, "quay")

    assert quay.violations == []
    assert asked.get("repository", 0) == is_named
    assert (found.registry_pulls, found.counts) == (28, "actions")
    assert found.registry_window_s == timedelta(days=7).total_seconds()
    # Of its month only what the week has of it.
    assert found.is_estimate
    assert not last.is_told
