"""Other limits, tried on the page of violations."""

from collections.abc import Mapping
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

from support.html import parse
from support.many_repositories import add_repositories, change, some_names
from support.policies import a_policy
from support.read_model import NOW
from support.simulation_panel import MB, add_sizes, asking, panel_of, rows_of
from support.violations import Violations
from weighbridge.domain.policy.policy import PolicySet
from weighbridge.domain.policy.simulation import LimitEffect
from weighbridge.store.reports.inventory import SizeCounts
from weighbridge.store.session import Database
from weighbridge.web.api.limits import COMPARED, read_comparison

SERVICES = a_policy("services", max_compressed=500 * MB)
SIZES: Mapping[str, int | None] = {
    "shop/api": 1_083,
    "shop/search": 566,
    "shop/payments": 452,
    "data/dbt": 431,
    "shop/web": 84,
    "charts": None,
}


@pytest.fixture
def filled(database: Database) -> Database:
    add_sizes(database, list(SIZES), list(SIZES.values()))
    return database


def test_each_limit_says_how_many_it_would_flag_and_which_is_in_force(
    filled: Database,
) -> None:
    panel = panel_of(asking(filled, PolicySet([SERVICES])))

    rows = rows_of(panel, "How many")
    assert [(row[0], row[-1]) for row in rows] == [
        ("500 MBlimit of policy services", "2"),
        ("600 MB", "1"),
        ("800 MB", "1"),
        ("1.00 GB", "1"),
        ("2.00 GB", "0"),
    ]
    assert "one limit for all 6 repositories" in panel.text


def test_the_limit_in_force_is_a_row_of_its_own_though_it_is_not_round(
    filled: Database,
) -> None:
    policies = PolicySet([a_policy("odd", max_compressed=77 * MB)])

    rows = rows_of(panel_of(asking(filled, policies)), "How many")

    assert (rows[0][0], rows[0][-1]) == ("77.0 MBlimit of policy odd", "5")


def test_an_unknown_size_is_said_to_be_unknown_and_is_in_no_count(
    filled: Database,
) -> None:
    panel = panel_of(asking(filled), max_compressed="1MB")

    assert "5 of 6 repositories would be over 1MB." in panel.text
    assert "One has no newest image, or one of unknown size" in panel.text


def test_a_limit_lists_whom_it_flags_and_who_is_new_among_them(
    filled: Database,
) -> None:
    panel = panel_of(asking(filled, PolicySet([SERVICES])), max_compressed="400MB")

    assert rows_of(panel, "400MB would flag") == [
        ["shop/apihub · 1.2.3", "1.08 GB", "683 MB"],
        ["shop/searchhub · 1.2.3", "566 MB", "166 MB"],
        ["shop/paymentshub · 1.2.3", "452 MB", "52.0 MB"],
        ["data/dbthub · 1.2.3", "431 MB", "31.0 MB"],
    ]
    assert "4 of 6 repositories would be over 400MB." in panel.text
    assert (
        "With 400MB, 2 more than with the limits in force: "
        "shop/payments 452 MB and data/dbt 431 MB."
    ) in panel.text


def test_a_laxer_limit_names_who_would_be_let_go(filled: Database) -> None:
    panel = panel_of(asking(filled, PolicySet([SERVICES])), max_compressed="600MB")

    assert "With 600MB, none more than with the limits in force." in panel.text
    assert "Over a limit now, and not over this one: shop/search 566 MB." in panel.text


def test_of_many_that_are_new_a_few_are_named(database: Database) -> None:
    add_sizes(database, some_names(60), range(450, 390, -1))

    client = asking(database, PolicySet([SERVICES]))
    panel = panel_of(client, max_compressed="100MB", registry="hub")

    named = "r0 450 MB, r1 449 MB, r2 448 MB and 57 more."
    assert f"60 more than with the limits in force: {named}" in panel.text
    assert len(rows_of(panel, "100MB would flag")) == 50
    command = "weighbridge policy simulate --max-compressed 100MB --registry hub"
    assert f"10 more: {command} lists all" in panel.text


def test_too_many_are_not_compared_one_by_one(filled: Database) -> None:
    policies = PolicySet([SERVICES])

    def compared(above_limit: int, above_lowest: int) -> LimitEffect | None:
        above = {600 * MB: above_limit, 500 * MB: above_lowest}
        counts = SizeCounts(50_000, 50_000, 1_083 * MB, above)
        with filled.read() as connection:
            return read_comparison(connection, 600 * MB, policies, counts, None)

    some = compared(1, COMPARED)
    assert some is not None
    assert [size.repository for size in some.fewer or ()] == ["shop/search"]
    assert compared(1, COMPARED + 1) == LimitEffect((), None)
    assert compared(COMPARED + 1, COMPARED + 1) is None


def test_without_a_policy_there_is_nothing_to_compare_with(filled: Database) -> None:
    panel = panel_of(asking(filled), max_compressed="400MB")

    assert "No policy sets max_compressed yet." in panel.text
    assert "limit of" not in panel.text


def test_without_an_image_there_is_a_form_and_no_limits(client: TestClient) -> None:
    panel = panel_of(client)

    assert "No newest image has a known size yet." in panel.text
    assert panel.all("table") == []
    assert panel.one("form").one("input").attributes["value"] == ""


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("400", "needs a unit: 400MB (400,000,000) or 400MiB"),
        ("0MB", "an image weighs more than nothing: write 500MB"),
        ("400 Mb", "'400 Mb' is not a number of bytes"),
        ("<script>", "'<script>' is not a number of bytes"),
        ("9EiB", "units are B, kB, MB"),
        ("-1MB", "'-1MB' is not a number of bytes"),
    ],
)
def test_a_wrong_value_has_its_fault_beside_it_and_all_else_stays(
    filled: Database, typed: str, words: str
) -> None:
    client = asking(filled, PolicySet([SERVICES]))
    fine = parse(client.get("/violations").text)
    answer = client.get(f"/violations?{urlencode({'max_compressed': typed})}")
    panel = parse(answer.text).by_id("what-if")

    assert answer.status_code == 400
    assert answer.headers["cache-control"] == "no-store"
    assert words in parse(answer.text).by_id("what-if-fault").text
    (field,) = [e for e in panel.all("input") if e.attributes["name"] != "cursor"]
    assert field.attributes["value"] == typed
    assert field.attributes["aria-invalid"] == "true"
    assert field.attributes["aria-describedby"] == "what-if-fault"
    assert rows_of(panel, "How many") == rows_of(fine.by_id("what-if"), "How many")


def test_a_limit_beyond_all_numbers_flags_nobody(filled: Database) -> None:
    panel = panel_of(asking(filled, PolicySet([SERVICES])), max_compressed="9000PB")

    assert "0 of 6 repositories would be over 9000PB." in panel.text
    assert "Over a limit now, and not over this one: shop/api" in panel.text


def test_an_empty_field_asks_nothing(filled: Database) -> None:
    panel = panel_of(asking(filled), max_compressed="")

    assert "would be over" not in panel.text


def test_the_form_and_the_limits_keep_the_rest_of_the_page(filled: Database) -> None:
    parameters = {"registry": "hub", "state": "all", "team": "", "limit": "5"}
    panel = panel_of(asking(filled), **parameters)

    form = panel.one("form")
    hidden = {
        field.attributes["name"]: field.attributes["value"]
        for field in form.all("input")
        if field.attributes.get("type") == "hidden"
    }
    links = [link.attributes["href"] for link in panel.all("a")]
    assert hidden == parameters
    assert form.attributes["action"] == "/violations#what-if"
    assert all("state=all" in link and link.endswith("#what-if") for link in links)
    assert "max_compressed=600MB" in links[1]


def test_the_page_after_this_one_keeps_the_limit_and_its_twin_does_not(
    filled: Database,
) -> None:
    ids = add_repositories(filled, ["a", "b"], "other")
    for identity in ids.values():
        Violations(filled, NOW).open(identity)

    html = asking(filled).get("/violations?limit=1&max_compressed=1GB").text

    assert "max_compressed=1GB&amp;cursor=" in html
    assert 'href="/violations.json?limit=1000"' in html


def test_one_registry_is_tried_alone(filled: Database) -> None:
    ids = add_repositories(filled, ["big"], "other")
    change(filled, ids["big"], newest_compressed_bytes=9_000 * MB)
    client = asking(filled)

    panel = panel_of(client, registry="hub", max_compressed="400MB")
    answer = client.get("/api/v1/simulation?max_compressed=1GB&registry=other").json()

    assert "4 of 6 repositories would be over 400MB." in panel.text
    assert (answer["repositories"], answer["exceeding"]) == (1, 1)
    assert client.get("/violations?registry=no").status_code == 404
