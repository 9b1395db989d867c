"""`GET /api/v1/traffic` and `/api/v1/costs`: what was pulled and stored in a month."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from starlette.testclient import TestClient

from support.images import an_image, some_layers
from support.read_model import NOW
from support.statements import counted
from support.store_world import World
from support.web_app import create_app
from weighbridge.domain.policy.policy import (
    NO_POLICIES,
    KeyPlace,
    Limits,
    Match,
    Policy,
    PolicySet,
)
from weighbridge.domain.traffic.costs import MonthCosts, Prices
from weighbridge.domain.traffic.months import month_name, month_of
from weighbridge.domain.traffic.pulls import PullCount
from weighbridge.errors import StoreError
from weighbridge.store.ledger.holdings import settle_all
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.session import Database
from weighbridge.store.traffic.pull_counts import note_pulls
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions
from weighbridge.web.request.kept_costs import KeptCosts

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


def test_a_cursor_of_costs_goes_on_in_its_own_month(pulled: World) -> None:
    client = asking(pulled.database)
    path = f"{COSTS}?per=repository&limit=2"
    cursor = client.get(path).json()["next_cursor"]

    second = client.get(f"{path}&cursor={cursor}&month=2001-01").json()

    assert second["month"] == month_name(month_of(NOW))
    assert len(second["items"]) == 1


class Stopped(PolicySet):
    """Policies that are asked until somebody lets them answer."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go_on = threading.Event(), threading.Event()

    def limits_of(self, registry: str, repository: str, tag: str) -> Limits:
        self.asked.set()
        assert self.go_on.wait(30)
        return Limits(team="slow")


def test_what_costs_are_is_summed_up_once_a_minute(pulled: World) -> None:
    kept = KeptCosts(pulled.database, EUROS)
    month = month_of(NOW)

    def found(after_s: float, policies: PolicySet = TEAMS) -> MonthCosts:
        at = NOW + timedelta(seconds=after_s)
        return kept.find(month, None, "team", policies, at)

    first = found(0)
    with counted() as made:
        again = found(59)
    assert (again, made) == (first, [])
    with pulled.database.write() as connection:
        told = {"acme/app": PullCount(210)}
        note_pulls(connection, pulled.registry_id, told, NOW + timedelta(seconds=1))

    assert found(59).total.traffic_high_bytes == 50_000
    assert found(60).total.traffic_high_bytes == 550_000
    assert [row.owner for row in found(60, NO_POLICIES).rows] == [""]
    # Of a clock that was put back nothing is believed.
    with counted() as made:
        found(-1)
    assert made


def test_what_is_kept_of_costs_has_a_bound(pulled: World) -> None:
    kept = KeptCosts(pulled.database, None, most_rows=210)
    month = month_of(NOW)

    def statements(number: int) -> int:
        with counted() as made:
            kept.find(number, None, "team", TEAMS, NOW)
        return len(made)

    for number in (month, month - 1, month - 2):
        assert statements(number)
    assert (statements(month - 2), statements(month - 1)) == (0, 0)
    assert statements(month)


def test_who_waits_for_the_costs_of_another_has_an_end(pulled: World) -> None:
    kept, slow = KeptCosts(pulled.database, None, wait_s=0.01), Stopped()
    month = month_of(NOW)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(kept.find, month, None, "team", slow, NOW)
        assert slow.asked.wait(30)
        with pytest.raises(StoreError) as caught:
            kept.find(month, None, "team", slow, NOW)
        slow.go_on.set()

    assert caught.value.code == "database_unavailable"
    assert [row.owner for row in first.result().rows] == ["slow"]
    assert kept.find(month, None, "team", slow, NOW) is first.result()


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
        (f"{COSTS}?cursor=traffic:2026-11::1", 400, "invalid_cursor"),
        (f"{COSTS}?cursor=costs:99999-01:1", 400, "invalid_cursor"),
        (f"{COSTS}?cursor=costs:119999999999:1", 400, "invalid_cursor"),
        (f"{TRAFFIC}?cursor=costs:2026-11:1", 400, "invalid_cursor"),
        (f"{TRAFFIC}?cursor=traffic:-5:1:1", 400, "invalid_cursor"),
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
