"""What `top --by traffic` and `costs` print; docs/traffic-and-costs.md shows it."""

import csv
import io
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from weighbridge.cli.actions import costs, top_traffic
from weighbridge.domain.policy.policy import (
    NO_POLICIES,
    KeyPlace,
    Limits,
    Match,
    Policy,
    PolicySet,
)
from weighbridge.domain.report.traffic import TrafficReport, UnknownTraffic
from weighbridge.domain.traffic.costs import (
    MonthCosts,
    MonthUse,
    Prices,
    month_costs,
    owner_of,
)
from weighbridge.domain.traffic.months import month_name, parse_month
from weighbridge.presentation.forms.screen import Output, Screen

PAGE = Path(__file__).parents[3] / "docs/traffic-and-costs.md"
NOVEMBER = parse_month("2026-11")
EUROS = Prices("EUR", Decimal("0.023"), Decimal("0.09"))
WIDE = Screen(width=110)
GB = 10**9
TEAMS = PolicySet(
    [
        Policy(
            name,
            Match(repository=f"{name}/*"),
            Limits(team=name),
            {"team": KeyPlace("weighbridge.yaml", 1)},
        )
        for name in ("shop", "data")
    ]
)
BEGAN = datetime(2026, 11, 1, 0, 12, tzinfo=UTC)
SEEN = datetime(2026, 12, 1, 0, 9, tzinfo=UTC)


def example(command: str) -> str:
    """What stands below the command on the page."""
    prompt = re.escape(f"$ weighbridge {command}\n")
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^{prompt}(.*?)\n```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None, command
    return found[1]


def a_row(repository: str = "shop/api", pulls: int = 41_877) -> TrafficReport:
    return TrafficReport(
        registry="harbor",
        repository=repository,
        month=month_name(NOVEMBER),
        pulls=pulls,
        counts="manifests",
        traffic_low_bytes=(pulls + 1) // 2 * 31_140_000,
        traffic_high_bytes=pulls * 1_082_700_000,
        reason="",
        is_estimate=False,
        counted_from=BEGAN,
        counted_until=SEEN,
        registry_pulls=1_300_000 + pulls,
        registry_window_s=None,
        registry_pulls_at=SEEN,
        last_pull_at=SEEN.replace(minute=2),
    )


def unknown(repository: str, reason: UnknownTraffic) -> TrafficReport:
    return replace(
        a_row(repository),
        pulls=None,
        traffic_low_bytes=None,
        traffic_high_bytes=None,
        reason=reason,
        last_pull_at=None,
    )


ROWS = [
    a_row(),
    replace(a_row("data/etl", pulls=612), counts="actions", traffic_low_bytes=0),
    unknown("shop/cart", "counter_fell"),
]


def printed(rows: list[TrafficReport], output: Output = "table", **of: Prices) -> str:
    prices = of.get("prices")
    return top_traffic.printed(rows, output, WIDE, NOVEMBER, prices)


def test_the_page_shows_what_top_by_traffic_prints() -> None:
    shown = example("top --by traffic --month 2026-11")

    assert shown == printed(ROWS, prices=EUROS)


def test_without_a_price_there_is_no_column_of_costs() -> None:
    assert "COST" not in printed(ROWS)
    assert "COST" not in printed(ROWS, prices=Prices("EUR", Decimal(1), None))
    (item, *_) = json.loads(printed(ROWS, "json"))["items"]
    assert (item["pull_cost_low"], item["currency"]) == (None, None)


def test_amounts_of_money_are_texts_in_json() -> None:
    (item, _, fallen) = json.loads(printed(ROWS, "json", prices=EUROS))["items"]

    assert item["traffic_high_bytes"] == 41_877 * 1_082_700_000
    assert item["pull_cost_high"] == "4080.62"
    assert (item["month"], item["currency"], item["reason"]) == (
        *("2026-11", "EUR", None),
    )
    assert (fallen["pulls"], fallen["pull_cost_low"]) == (None, None)
    assert fallen["reason"] == "counter_fell"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("not_counted", "its registry counts no pulls"),
        ("first_count", "no two counts in this month: nothing to subtract"),
        ("counter_fell", "the count has fallen"),
        ("size_unknown", "the size of its images was not known"),
    ],
)
def test_what_is_unknown_says_why(reason: UnknownTraffic, words: str) -> None:
    text = printed([unknown("shop/cart", reason)])

    assert words in text
    assert "unknown" in text


def test_nothing_known_at_all_says_which_registries_count() -> None:
    assert "Docker Hub, Harbor and Quay" in printed([])


def a_use(repository: str, stored: int, low: int | None, high: int | None) -> MonthUse:
    return MonthUse("harbor", repository, "latest", 30 * stored, 30, low, high)


USES = [
    a_use("shop/api", 310 * GB, 650 * GB, 45_340 * GB),
    a_use("shop/cart", 20 * GB, None, None),
    a_use("data/etl", 1_270 * GB, 0, 663 * GB),
    a_use("tools/box", 3 * GB, 1 * GB, 1 * GB),
]


def of_teams(policies: PolicySet = TEAMS, prices: Prices | None = EUROS) -> MonthCosts:
    return month_costs(USES, NOVEMBER, prices, owner_of("team", policies))


def costs_printed(
    output: Output = "table",
    prices: Prices | None = EUROS,
    limit: int = 20,
    policies: PolicySet = TEAMS,
) -> str:
    found = of_teams(policies, prices)
    return costs.printed(
        found,
        output,
        WIDE,
        per="team",
        month=NOVEMBER,
        prices=prices,
        limit=limit,
    )


def test_the_page_shows_what_costs_prints() -> None:
    assert example("costs --month 2026-11") == costs_printed()


def test_costs_in_json_have_the_total_beside_the_rows() -> None:
    found = json.loads(costs_printed("json", limit=1))

    assert (found["per"], found["month"], found["currency"]) == (
        *("team", "2026-11", "EUR"),
    )
    assert (found["days"], found["days_in_month"], found["is_estimate"]) == (
        *(30, 30, True),
    )
    assert len(found["items"]) == 1
    assert found["total"]["storage_cost"] == "36.87"
    assert found["total"]["repositories"] == 4


def test_the_rows_of_csv_add_up_to_the_total() -> None:
    rows = list(csv.DictReader(io.StringIO(costs_printed("csv"))))

    assert [row["owner"] for row in rows] == ["shop", "data", ""]
    assert sum(Decimal(row["storage_cost"]) for row in rows) == Decimal("36.87")


def test_without_prices_it_says_what_is_missing() -> None:
    text = costs_printed(prices=None)

    assert "no costs: prices of the configuration are not set" in text
    assert "EUR" not in text


def test_without_policies_everything_is_of_no_team() -> None:
    (row,) = of_teams(NO_POLICIES).rows

    assert (row.owner, row.repositories) == ("", 4)
    assert "\n  all of no team, 2026-11 (UTC)" in costs_printed(policies=NO_POLICIES)
