"""The section about pulls on the page of a repository."""

from datetime import timedelta
from decimal import Decimal

import pytest
from starlette.testclient import TestClient

from support.html import Element, parse
from support.images import an_image, some_layers
from support.read_model import NOW
from support.store_world import World
from support.web_app import create_app
from weighbridge.domain.traffic.costs import Prices
from weighbridge.domain.traffic.months import month_name, month_of
from weighbridge.domain.traffic.pulls import PullCount
from weighbridge.store.traffic.pull_counts import (
    find_later_pulls,
    note_pulls,
    note_tag_pulls,
)
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions

pytestmark = pytest.mark.slow

DAY = timedelta(days=1)
WEEK_S = 7 * 24 * 3600
MONTH = month_of(NOW)
EUROS = Prices("EUR", None, Decimal(1_000_000))


@pytest.fixture
def crawled(world: World) -> World:
    world.crawl({"v1": an_image(some_layers(5_000))})
    return world


def tell(world: World, *counts: PullCount) -> None:
    """An hour between them, the last one now."""
    with world.database.write() as connection:
        for ago, count in zip(range(len(counts))[::-1], counts, strict=True):
            at = NOW - timedelta(hours=ago)
            note_pulls(connection, world.registry_id, {world.repository: count}, at)


def section(world: World, prices: Prices | None = None) -> Element | None:
    options = WebOptions(prices=prices)
    app = create_app(world.database, Telemetry(), options, now=lambda: NOW)
    client = TestClient(app, base_url="http://127.0.0.1:8080")
    answer = client.get("/repository?ref=hub/acme/app")
    assert answer.status_code == 200
    panels = parse(answer.text).all("section")
    found = [p for p in panels if p.attributes.get("aria-labelledby") == "pu"]
    return found[0] if found else None


def rows(world: World, prices: Prices | None = None) -> list[str]:
    found = section(world, prices)
    assert found is not None
    return [" ".join(row.text.split()) for row in found.one("tbody").all("tr")]


def test_a_repository_whose_registry_counts_no_pulls_has_no_section(
    crawled: World,
) -> None:
    assert section(crawled) is None


def test_a_month_has_what_was_counted_and_between_what_it_is(crawled: World) -> None:
    tell(crawled, PullCount(100), PullCount(110))

    (row,) = rows(crawled)

    assert row == f"{month_name(MONTH)} 10 25.0 kB 50.0 kB"


def test_a_price_adds_what_it_cost(crawled: World) -> None:
    tell(crawled, PullCount(100), PullCount(110))

    (row,) = rows(crawled, EUROS)

    assert row.endswith("25.00 to 50.00")
    assert "EUR" in row  # below the month, where a screen is narrow


def test_one_count_alone_says_why_the_month_is_unknown(crawled: World) -> None:
    tell(crawled, PullCount(1_234))

    found = section(crawled)

    assert found is not None
    unknown = found.all("span", "unknown")
    assert {each.text for each in unknown} == {"unknown"}
    assert {each.attributes["title"] for each in unknown} == {
        "There are no two counts in this month: nothing can be subtracted"
    }
    assert "The count is 1,234, read just now." in found.one("footer").text


def test_months_stand_below_each_other_the_latest_first(crawled: World) -> None:
    long_ago = NOW - 40 * DAY
    with crawled.database.write() as connection:
        told = {crawled.repository: PullCount(0)}
        note_pulls(connection, crawled.registry_id, told, long_ago)
    tell(crawled, PullCount(41))

    months = [row.split()[0] for row in rows(crawled)]

    assert months == [month_name(MONTH - back) for back in range(len(months))]
    assert len(months) >= 2


def test_what_the_registry_counts_is_said(crawled: World) -> None:
    tell(crawled, PullCount(28, "actions", WEEK_S))

    found = section(crawled)

    assert found is not None
    assert (
        "hub counts actions: pulls, pushes and other changes, in the last 7 d."
        in found.one("footer").text
    )


def test_the_last_pull_of_any_tag_is_said(crawled: World) -> None:
    tell(crawled, PullCount(100))
    with crawled.database.write() as connection:
        told = {"v1": NOW - 3 * DAY}
        later = find_later_pulls(connection, crawled.repository_id, told, NOW)
        note_tag_pulls(connection, later, NOW)

    found = section(crawled)

    assert found is not None
    assert "The last pull was 3 d ago." in found.one("footer").text
