"""`GET /api/v1/traffic` and `/api/v1/costs`: what was pulled and stored in a month."""

from datetime import timedelta
from decimal import Decimal

import pytest
from starlette.testclient import TestClient

from support.images import an_image, some_layers
from support.read_model import NOW
from support.store_world import World
from support.web_app import create_app
from weighbridge.domain.policy.policy import KeyPlace, Limits, Match, Policy, PolicySet
from weighbridge.domain.traffic.costs import Prices
from weighbridge.domain.traffic.months import month_name, month_of
from weighbridge.domain.traffic.pulls import PullCount
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.session import Database
from weighbridge.store.traffic.pull_counts import note_pulls
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions

pytestmark = pytest.mark.slow

TRAFFIC, COSTS = "/api/v1/traffic", "/api/v1/costs"
BEFORE = NOW - timedelta(minutes=5)
EUROS = Prices("EUR", Decimal(1_000_000), Decimal(1_000_000))
TEAMS = PolicySet(
    [
        Policy(
            "shop",
            Match(repository="acme/*"),
            Limits(team="shop"),
            {"team": KeyPlace("weighbridge.yaml", 1)},
        )
    ]
)


def asking(database: Database, prices: Prices | None = EUROS) -> TestClient:
    options = WebOptions(prices=prices, policies=lambda: TEAMS)
    app = create_app(database, Telemetry(), options, now=lambda: NOW)
    return TestClient(app, base_url="http://127.0.0.1:8080")


@pytest.fixture
def pulled(world: World) -> World:
    """Ten manifests of acme/app, whose image has 5,000 bytes; of another repository
    one number alone, of a third nothing."""
    world.crawl({"v1": an_image(some_layers(5_000))})
    settle_all(world.database)
    with world.database.write() as connection:
        number = world.registry_id
        put_repositories(connection, number, ["other/one", "other/two"], BEFORE)
        first = {"acme/app": PullCount(100), "other/one": PullCount(7)}
        note_pulls(connection, number, first, BEFORE)
        note_pulls(connection, number, {"acme/app": PullCount(110)}, NOW)
    return world


def test_repositories_with_pulls_come_first_then_those_with_a_number(
    pulled: World,
) -> None:
    items = asking(pulled.database).get(TRAFFIC).json()["items"]

    assert [item["repository"] for item in items] == ["acme/app", "other/one"]
    first, second = items
    assert (first["pulls"], first["counts"]) == (10, "manifests")
    assert (first["traffic_low_bytes"], first["traffic_high_bytes"]) == (25_000, 50_000)
    assert (first["pull_cost_low"], first["pull_cost_high"]) == ("25.00", "50.00")
    assert (first["currency"], first["reason"]) == ("EUR", None)
    assert (second["pulls"], second["reason"]) == (None, "first_count")
    assert second["registry_pulls"] == 7


def test_one_repository_of_which_nothing_is_counted_is_no_error(pulled: World) -> None:
    client = asking(pulled.database)

    answer = client.get(f"{TRAFFIC}?registry=hub&repository=other/two")

    assert answer.json() == {"items": [], "next_cursor": None}


def test_a_cursor_goes_on_in_its_own_month(pulled: World) -> None:
    client = asking(pulled.database)
    first = client.get(f"{TRAFFIC}?limit=1").json()

    cursor = first["next_cursor"]
    second = client.get(f"{TRAFFIC}?limit=1&cursor={cursor}&month=2001-01").json()

    assert second["items"][0]["repository"] == "other/one"
    assert second["items"][0]["month"] == month_name(month_of(NOW))
    assert second["next_cursor"] is None


def test_the_costs_of_teams_add_up_to_the_total(pulled: World) -> None:
    found = asking(pulled.database).get(COSTS).json()

    assert [item["owner"] for item in found["items"]] == ["shop", None]
    shop, others = found["items"]
    stored = pulled.report().deduplicated_bytes
    assert shop["stored_bytes"] == stored
    assert (others["stored_bytes"], others["pull_cost_low"]) == (None, None)
    assert others["pulls_unknown"] == 2
    total = found["total"]
    assert total["storage_cost"] == shop["storage_cost"]
    assert (total["pull_cost_low"], total["pull_cost_high"]) == ("25.00", "50.00")
    assert (found["days"], found["currency"]) == (1, "EUR")
    assert found["is_estimate"] is True


def test_costs_come_in_pages_with_the_same_total(pulled: World) -> None:
    client = asking(pulled.database)
    path = f"{COSTS}?per=repository&limit=2"

    first = client.get(path).json()
    second = client.get(f"{path}&cursor={first['next_cursor']}").json()

    owners = [item["owner"] for item in (*first["items"], *second["items"])]
    assert sorted(owners) == ["hub/acme/app", "hub/other/one", "hub/other/two"]
    assert second["next_cursor"] is None
    assert first["total"] == second["total"]


def test_without_prices_there_are_bytes_and_no_amounts(pulled: World) -> None:
    client = asking(pulled.database, prices=None)

    found = client.get(f"{COSTS}?per=registry").json()
    (item, _) = client.get(TRAFFIC).json()["items"]

    assert (found["currency"], found["total"]["storage_cost"]) == (None, None)
    assert found["total"]["traffic_high_bytes"] == 50_000
    assert (item["pull_cost_high"], item["currency"]) == (None, None)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"{TRAFFIC}?month=2026-13", 400, "invalid_month"),
        (f"{COSTS}?month=2026", 400, "invalid_month"),
        (f"{COSTS}?per=planet", 400, "invalid_parameter"),
        (f"{COSTS}?cursor=traffic:1::1", 400, "invalid_cursor"),
        (f"{TRAFFIC}?cursor=costs:1", 400, "invalid_cursor"),
        (f"{TRAFFIC}?registry=nope", 404, "registry_not_found"),
        (f"{COSTS}?registry=nope", 404, "registry_not_found"),
        (f"{TRAFFIC}?registry=hub&repository=acme/ap", 404, "repository_not_found"),
    ],
)
def test_what_is_wrong_is_refused(
    pulled: World, path: str, status: int, code: str
) -> None:
    answer = asking(pulled.database).get(path)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
