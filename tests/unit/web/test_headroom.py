"""Who is nearest to its limit, on the page of violations and over the API."""

import pytest
from starlette.testclient import TestClient

from support.html import Element, parse
from support.many_repositories import add_repositories, change, some_names
from support.policies import a_policy
from support.read_model import NOW
from support.simulation_panel import MB, asking
from support.violations import waived
from weighbridge.domain.policy.policy import NO_POLICIES, Match, PolicySet
from weighbridge.store.session import Database

POLICIES = PolicySet(
    [
        a_policy("ml", Match(repository="ml/*"), max_compressed=5_000 * MB),
        a_policy("all", max_compressed=500 * MB),
    ]
)


@pytest.fixture
def filled(database: Database) -> Database:
    sizes = {
        "shop/api": 1_083,
        "ml/trainer": 4_872,
        "shop/payments": 452,
        "shop/web": 84,
        "shop/docs": 10,
    }
    ids = add_repositories(database, list(sizes))
    for name, size in sizes.items():
        change(database, ids[name], newest_compressed_bytes=size * MB)
    return database


def panel_of(client: TestClient, query: str = "") -> Element:
    page = parse(client.get(f"/violations{query}").text)
    (panel,) = [
        section
        for section in page.all("section")
        if section.attributes.get("aria-labelledby") == "headroom"
    ]
    return panel


def names_of(client: TestClient, query: str = "") -> list[str]:
    answer = client.get(f"/api/v1/headroom{query}")
    return [item["repository"] for item in answer.json()["items"]]


def test_the_nearest_say_how_much_of_which_limit_and_what_is_left(
    filled: Database,
) -> None:
    panel = panel_of(asking(filled, POLICIES))

    first, second, third = [row.text for row in panel.all("tr")[1:]]
    assert first.startswith("ml/trainerhub · 1.2.3 near 97 %of 5.00 GB 4.87 GB")
    assert first.endswith("128 MB left")
    assert second.startswith("shop/paymentshub · 1.2.3 near 90 %of 500 MB 452 MB")
    assert third.startswith("shop/webhub · 1.2.3 within 17 %of 500 MB")
    pictures = [
        picture.attributes.get("aria-label") for picture in panel.all("svg", "c")
    ]
    assert pictures[0] == "97 % of the limit"


def test_who_is_over_its_limit_is_not_near_it(filled: Database) -> None:
    assert "shop/api" not in panel_of(asking(filled, POLICIES)).text
    assert "shop/api" not in names_of(asking(filled, POLICIES))


def test_less_than_all_is_never_told_as_a_hundred_percent(database: Database) -> None:
    ids = add_repositories(database, ["almost", "whole"])
    change(database, ids["almost"], newest_compressed_bytes=500 * MB - 1)
    change(database, ids["whole"], newest_compressed_bytes=500 * MB)

    whole, almost = [
        row.text for row in panel_of(asking(database, POLICIES)).all("tr")[1:]
    ]

    assert "near 100 %" in whole
    assert "0 B left" in whole
    assert "near 99 %" in almost


def test_who_has_used_half_is_shown_beyond_the_first_three(database: Database) -> None:
    ids = add_repositories(database, some_names(6))
    for number, identity in enumerate(ids.values()):
        change(database, identity, newest_compressed_bytes=(240 + number * 5) * MB)

    rows = panel_of(asking(database, POLICIES)).all("tr")[1:]

    assert [row.one("span", "v").text for row in rows] == [
        "within 53 %",
        "within 52 %",
        "within 51 %",
        "within 50 %",
    ]
    assert len(names_of(asking(database, POLICIES))) == 6


def test_a_limit_that_is_waived_is_near_to_nobody(filled: Database) -> None:
    waived(filled, "ml/*", NOW, limit_key="max_compressed")
    waived(filled, "shop/payments", NOW, limit_key="max_growth")

    panel = panel_of(asking(filled, POLICIES))

    assert "ml/trainer" not in panel.one("tbody").text
    assert "shop/payments" in panel.one("tbody").text
    assert "waived limits left out" in panel.text


def test_without_limits_and_within_none_the_panel_says_so(filled: Database) -> None:
    strict = PolicySet([a_policy("all", max_compressed=1)])

    assert "No policy sets max_compressed" in panel_of(asking(filled, NO_POLICIES)).text
    assert "No newest image is within a limit" in panel_of(asking(filled, strict)).text


def test_one_registry_is_shown_alone(filled: Database) -> None:
    ids = add_repositories(filled, ["other/app"], "other")
    change(filled, ids["other/app"], newest_compressed_bytes=499 * MB)
    client = asking(filled, POLICIES)

    panel = panel_of(client, "?registry=other")

    assert [link.text for link in panel.all("a")] == ["other/app"]
    assert names_of(client)[:2] == ["other/app", "ml/trainer"]
    assert names_of(client, "?registry=other") == ["other/app"]
    assert client.get("/api/v1/headroom?registry=no").status_code == 404


def test_the_api_has_the_bytes(filled: Database) -> None:
    answer = asking(filled, POLICIES).get("/api/v1/headroom?limit=1").json()

    assert answer == {
        "items": [
            {
                "registry": "hub",
                "repository": "ml/trainer",
                "tag": "1.2.3",
                "compressed_bytes": 4_872 * MB,
                "limit_bytes": 5_000 * MB,
                "left_bytes": 128 * MB,
                "is_near": True,
            }
        ],
        "next_cursor": None,
    }
