"""State, reason and age of what is not well, on every face, after a real crawl."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from starlette.testclient import TestClient

from support.crawling import Yard, a_yard
from support.fake_registry import FakeRegistry
from support.html import Element, parse
from support.promtool import promtool
from support.troubled_registry import (
    REASONS,
    crawled_in_trouble,
    crawled_while_most_vanish,
)
from support.web_app import create_app
from weighbridge.cli.actions.crawl_output import printed
from weighbridge.domain.report.inventory import RegistryState, RepositoryState
from weighbridge.engine.crawl_requests.crawl_report import CrawlReport
from weighbridge.errors import RegistryError, TransportError, WeighbridgeError
from weighbridge.presentation.forms.screen import Screen
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions

pytestmark = pytest.mark.slow

SEEN: Final = "2026-03-01T12:00:00Z"
SINCE: Final = "2026-03-01T13:00:00Z"
ALIVE: Final = [state for state in REASONS if state != "deleted"]
SENTENCES: Final[dict[RepositoryState, str]] = {
    "partial": "partial Not all of it is read since {since} (registry_error). It was "
    "last crawled in full: {seen}, 2 h ago.",
    "missing": "missing The registry says since {since} that there is no such "
    "repository (name_unknown); it counts as deleted after more such answers. The "
    "numbers are of {seen}, 2 h ago.",
    "deleted": "deleted The registry no longer has it since {since} (name_unknown). It "
    "was last crawled in full: {seen}, 2 h ago.",
    "unauthorized": "refused The registry refuses us since {since} (denied). The "
    "numbers are of {seen}, 2 h ago.",
    "unreachable": "unreachable There is no answer since {since} (connection_reset). "
    "The numbers are of {seen}, 2 h ago.",
    "error": "failed What it answers cannot be used since {since} (registry_error). "
    "The numbers are of {seen}, 2 h ago.",
}


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path) as made:
        yield made


@pytest.fixture
def client(yard: Yard) -> TestClient:
    """The web application at the time at which the yard's clock stands."""
    app = create_app(yard.database, Telemetry(), WebOptions(), now=lambda: yard.now)
    return TestClient(app, base_url="http://127.0.0.1:8080")


def banners(page: Element) -> list[str]:
    return [banner.text for banner in page.all("div", "banner")]


def samples(client: TestClient) -> dict[str, str]:
    body = client.get("/metrics/repositories").content
    assert promtool(body) == ""
    lines = body.decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


@pytest.mark.parametrize("state", REASONS)
async def test_a_state_its_reason_and_its_age_are_in_the_api(
    yard: Yard, client: TestClient, state: RepositoryState
) -> None:
    await crawled_in_trouble(yard)

    row = client.get(f"/api/v1/repository?ref=fake/shop/{state}").json()

    assert (row["state"], row["state_reason"]) == (state, REASONS[state])
    assert (row["state_since"], row["last_complete_crawl_at"]) == (SINCE, SEEN)
    assert row["age_seconds"] == 7_200
    # What was seen in part is not old before its time; what failed is, at once.
    assert row["is_stale"] is (state != "partial")
    assert row["deleted_at"] == (SINCE if state == "deleted" else None)


async def test_lists_have_every_state_but_the_gone(
    yard: Yard, client: TestClient
) -> None:
    await crawled_in_trouble(yard)

    rows = client.get("/api/v1/repositories").json()["items"]
    (registry,) = client.get("/api/v1/registries").json()["items"]

    assert {row["state"] for row in rows} == {*ALIVE, "ok"}
    assert registry["repository_states"] == dict.fromkeys(ALIVE, 1) | {
        "new": 0,
        "ok": 1,
    }


@pytest.mark.parametrize("state", REASONS)
async def test_a_state_its_reason_and_its_age_are_on_the_repositorys_page(
    yard: Yard, client: TestClient, state: RepositoryState
) -> None:
    await crawled_in_trouble(yard)

    page = parse(client.get(f"/repository?ref=fake/shop/{state}").text)

    expected = SENTENCES[state].format(
        since="2026-03-01 13:00 UTC", seen="2026-03-01 12:00 UTC"
    )
    assert banners(page) == [expected]


async def test_a_repository_that_is_gone_has_no_numbers_that_are_still_to_come(
    yard: Yard, client: TestClient
) -> None:
    await crawled_in_trouble(yard)

    page = parse(client.get("/repository?ref=fake/shop/deleted").text)

    figures = page.one("dl", "figures")
    assert [word.text for word in figures.all("span", "unknown")] == ["none"] * 4
    assert page.all("div", "storage") == []
    assert page.all("table")[-1].one("tbody").one("del").text == "deleted-1"


async def test_the_first_page_counts_states_and_marks_each_row(
    yard: Yard, client: TestClient
) -> None:
    await crawled_in_trouble(yard)

    page = parse(client.get("/").text)

    (said, tags) = banners(page)
    assert said == (
        "fake 5 repositories of 6 could not be read to the end in the last crawl "
        "(1 partial, 1 missing, 1 refused, 1 unreachable, 1 failed); what was known is "
        "kept. The oldest numbers are of 2026-03-01 12:00 UTC, 2 h ago."
    )
    assert tags.startswith("fake 1 tag of 6 could not be read")
    words = [span.text for span in page.one("table").all("span", "state-warn")]
    assert sorted(words) == ["failed", "missing", "partial", "refused", "unreachable"]


async def test_the_page_of_crawls_counts_states_and_gives_the_reason_of_each_crawl(
    yard: Yard, client: TestClient
) -> None:
    await crawled_in_trouble(yard)

    registries, crawls = parse(client.get("/crawls").text).all("table")

    counted = [e.text for e in registries.all("span", "state-warn")]
    assert counted == [f"1 {state}" for state in ALIVE]
    newest, *_ = [
        row.all("td")[0]
        for row in crawls.one("tbody").all("tr")
        if row.one("a").text == "shop/unauthorized"
    ]
    assert newest.text.startswith("unauthorized")
    assert newest.one("span", "sub").text == "denied"


async def test_states_are_counted_in_metrics_and_ages_are_told(
    yard: Yard, client: TestClient
) -> None:
    await crawled_in_trouble(yard)

    found = samples(client)

    name = "weighbridge_registry_repositories_failing"
    for state in ALIVE:
        assert found[f'{name}{{registry="fake",state="{state}"}}'] == "1"
    assert found['weighbridge_registry_removals_held{registry="fake"}'] == "0"
    assert "shop/deleted" not in "".join(found)
    process = client.get("/metrics").text
    oldest = 'weighbridge_crawl_oldest_audit_timestamp_seconds{registry="fake"}'
    (line,) = [line for line in process.splitlines() if line.startswith(oldest)]
    assert yard.now.timestamp() - float(line.rsplit(" ", 1)[1]) == 7_200


async def test_a_crawl_ends_with_a_row_for_each(yard: Yard) -> None:
    done = await crawled_in_trouble(yard)

    lines = printed(CrawlReport((done,), 1.0), "table", Screen(), yard.now).splitlines()

    assert lines[0].startswith("fake   1 partial, 5 failed   ")
    assert lines[1:8] == [
        "  LAST FULL CRAWL  STATE         WHY               REPOSITORY",
        "  2 h ago          deleted       name_unknown      fake/shop/deleted",
        "  2 h ago          error         registry_error    fake/shop/error",
        "  2 h ago          missing       name_unknown      fake/shop/missing",
        "  2 h ago          partial       registry_error    fake/shop/partial",
        "  2 h ago          unauthorized  denied            fake/shop/unauthorized",
        "  2 h ago          unreachable   connection_reset  fake/shop/unreachable",
    ]


@pytest.mark.parametrize(
    ("error", "state", "words"),
    [
        (RegistryError("no", code="denied"), "unauthorized", "refuses us since"),
        (RegistryError("no"), "error", "answers with errors since"),
        (
            TransportError("no", code="dns_error"),
            "unreachable",
            "cannot be reached since",
        ),
    ],
)
async def test_a_registry_that_fails_says_state_reason_and_age_everywhere(
    yard: Yard,
    client: TestClient,
    error: WeighbridgeError,
    state: RegistryState,
    words: str,
) -> None:
    registry = FakeRegistry()
    await yard.crawl(registry)
    registry.breaks["repositories", "#0"] = error
    await yard.crawl(registry)

    (row,) = client.get("/api/v1/registries").json()["items"]
    (banner,) = banners(parse(client.get("/").text))
    crawls = parse(client.get("/crawls").text).one("table").one("tbody")

    assert (row["state"], row["state_reason"]) == (state, error.code)
    assert (row["state_since"], row["is_stale"]) == (SINCE, True)
    assert f"{words} 2026-03-01 13:00 UTC ({error.code})" in banner
    cell = crawls.all("td")[0]
    assert cell.one("span", "v").text == state
    since = f"{error.code}, since 2026-03-01 13:00 UTC"
    assert cell.one("span", "sub").text == since
    assert samples(client)['weighbridge_registry_up{registry="fake"}'] == "0"


async def test_f09_removals_that_are_held_are_on_every_face(
    yard: Yard, client: TestClient
) -> None:
    done = await crawled_while_most_vanish(yard, 24, 3)

    (registry,) = client.get("/api/v1/registries").json()["items"]
    (row, *_) = client.get("/api/v1/repositories?q=r010").json()["items"]
    overview = banners(parse(client.get("/").text))
    crawls = parse(client.get("/crawls").text).all("table")[0]
    found = samples(client)

    assert (registry["removals_held"], registry["repositories"]) == (21, 24)
    assert (row["state"], row["tags"]) == ("missing", 1)
    assert "did not list 21 repositories any more" in overview[0]
    assert "21 held" in [e.text for e in crawls.all("span", "state-warn")]
    assert found['weighbridge_registry_removals_held{registry="fake"}'] == "21"
    assert found['weighbridge_registry_repositories{registry="fake"}'] == "24"
    closing = printed(
        CrawlReport((done,), 1.0), "table", Screen(), yard.now
    ).splitlines()
    assert closing[1].startswith("  held   21 repositories are missing at once")
    assert closing[22:24] == [
        "  2 h ago          missing  name_unknown  fake/shop/r022",
        "  and 1 more (-o json lists them)",
    ]
