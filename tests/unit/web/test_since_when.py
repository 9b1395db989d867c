"""Pages of a registry that is not read say since when their numbers are."""

from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from support.html import Element, parse
from support.images import an_image, some_layers
from support.pages import image_tree, overview_html, overview_tree, repository_tree
from support.read_model import (
    HOUR,
    NOW,
    a_registry_report,
    a_repository_report,
    python_3_7,
)
from support.store_world import World
from weighbridge.domain.report.inventory import (
    RegistryReport,
    RegistryState,
    RepositoryReport,
)
from weighbridge.store.registries.registry_rows import mark_unconfigured

KNOWN = "The numbers are of 2026-09-22 04:40 UTC, 5 h ago."


def a_registry(state: RegistryState, reason: str = "") -> RegistryReport:
    """A registry in this state for four hours."""
    return replace(
        a_registry_report(),
        state=state,
        state_reason=reason,
        state_since=NOW - 4 * HOUR,
        last_success_at=NOW - 5 * HOUR,
    )


def read_ago(hours: timedelta) -> RepositoryReport:
    """A repository whose last crawl was complete and so long ago."""
    last = NOW - hours
    return replace(
        a_repository_report("library/python"),
        last_crawl_at=last,
        last_complete_crawl_at=last,
    )


def both_pages(registry: RegistryReport, report: RepositoryReport) -> list[Element]:
    return [
        image_tree(python_3_7(), [], report, registry),
        repository_tree(report, [], registry),
    ]


def banners(page: Element) -> list[tuple[str, bool]]:
    return [(b.text, "bad" in b.classes) for b in page.all("div", "banner")]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("unreachable", "cannot be reached since"),
        ("unauthorized", "refuses us since"),
        ("error", "answers with errors since"),
    ],
)
def test_a_registry_that_fails_is_named_with_the_age_of_the_numbers(
    state: RegistryState, words: str
) -> None:
    registry = a_registry(state, "timeout")

    for page in both_pages(registry, read_ago(5 * HOUR)):
        assert banners(page) == [
            (f"hub {words} 2026-09-22 05:40 UTC (timeout). {KNOWN}", True)
        ]


def test_a_repository_that_is_read_all_the_same_is_not_called_old() -> None:
    registry = a_registry("unauthorized", "catalog_denied")

    for page in both_pages(registry, read_ago(HOUR / 2)):
        assert banners(page) == []


def test_a_look_that_was_missed_twice_is_said() -> None:
    for page in both_pages(a_registry_report(), read_ago(5 * HOUR)):
        assert banners(page) == [
            (f"stale {KNOWN} It is to be crawled every 1 h.", False)
        ]


def test_fresh_numbers_need_no_word() -> None:
    for page in both_pages(a_registry_report(), read_ago(HOUR)):
        assert banners(page) == []


def test_a_registry_that_is_not_configured_is_said_quietly_and_numbers_stay() -> None:
    registry = a_registry("unconfigured")

    said = "hub has not been configured since 2026-09-22 05:40 UTC."
    image, repository = both_pages(registry, read_ago(5 * HOUR))
    overview = overview_tree([registry], [read_ago(5 * HOUR)])

    assert banners(image) == banners(repository) == [(f"{said} {KNOWN}", False)]
    assert banners(overview) == [
        (f"{said} Its 4 repositories show what was known 5 h ago.", False)
    ]
    assert image.one("table", "lines").one("tfoot").amounts()[0] == 347_653_336
    assert overview.one("table").one("tfoot").amounts() == [1_082_700_595]


def test_a_registry_that_is_not_configured_is_neither_stale_nor_failing() -> None:
    old = replace(a_registry("unconfigured"), name="old", repositories=1)

    page = overview_tree([a_registry_report(), old], [])
    alone = overview_html([old], [])

    assert page.one("header", "top").one("a", "fresh").text == "hub: 12 min ago"
    assert "failing" not in alone
    assert "stale" not in alone
    assert "Its 1 repository shows what was known 5 h ago" in alone


def test_the_state_is_in_the_api_and_on_every_page(
    world: World, client: TestClient
) -> None:
    world.crawl({"1": an_image(some_layers(4000))})
    with world.database.write() as connection:
        mark_unconfigured(connection, [], NOW)

    (registry,) = client.get("/api/v1/registries").json()["items"]
    crawls = parse(client.get("/crawls").text)

    assert registry["state"] == "unconfigured"
    assert "not configured" in crawls.one("main").text
    assert "no longer crawled" in crawls.one("main").text
    for path in ("/", "/repository?ref=hub/acme/app", "/image?ref=hub/acme/app:1"):
        page = parse(client.get(path).text)
        (said,) = banners(page)
        assert said[0].startswith("hub has not been configured since 2026-09-22")
        assert 4000 in page.one("dl", "figures").amounts()
