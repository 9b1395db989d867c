"""Violations over HTTP: rows, filters, a page, and names that are meant to harm."""

import csv
import io
import json

import pytest
from starlette.testclient import TestClient

from support.html import parse
from support.images import an_image, some_layers
from support.json_schema import misfits
from support.read_model import NOW
from support.store_world import World
from support.violations import TORCH, Violations, waived
from weighbridge.domain.growth.cause import Cause, LineChange
from weighbridge.presentation.rows.policy_rows import VIOLATION_COLUMNS, ViolationRow

pytestmark = pytest.mark.slow

API = "/api/v1/violations"
HOSTILE = '"><script>alert(1)</script>=cmd|\u202e'


@pytest.fixture
def made(world: World) -> Violations:
    world.crawl({"1.5": an_image(some_layers(4000, 96))})
    return Violations(world.database, NOW)


def text_of(html: str) -> str:
    return parse(html).text


def items(client: TestClient, query: str = "") -> list[dict[str, object]]:
    found: list[dict[str, object]] = client.get(f"{API}{query}").json()["items"]
    return found


def test_a_violation_is_told_with_its_cause(
    client: TestClient, world: World, made: Violations
) -> None:
    made.open(world.repository_id)

    (row,) = items(client)

    assert row.keys() == ViolationRow.__dataclass_fields__.keys()
    assert row["state"] == "open"
    assert (row["registry"], row["repository"], row["tag"]) == (
        "hub",
        "acme/app",
        "1.5",
    )
    assert (row["limit_key"], row["unit"]) == ("max_compressed", "bytes")
    assert (row["amount"], row["excess"]) == (1_082_700_595, 582_700_595)
    assert row["opened_at"] == "2026-09-22T09:40:00Z"
    assert row["cause"] == {
        "of": "own",
        "quantity": "compressed_bytes",
        "grown_amount": 612_433_429,
        "base_grown_amount": 0,
        "unknown_lines": 0,
        "changes": [
            {
                "kind": "added",
                "instruction": "RUN pip install --no-cache-dir torch==1.13.1",
                "before_amount": None,
                "amount": 612_408_377,
                "grown_amount": 612_408_377,
                "of_base": False,
            }
        ],
    }
    assert row["waiver"] is None


def test_layers_are_counted_in_layers(
    client: TestClient, world: World, made: Violations
) -> None:
    made.open(world.repository_id, limit_key="max_layers", amount=70, limit_amount=60)

    (row,) = items(client)

    assert (row["unit"], row["amount"], row["excess"]) == ("layers", 70, 10)
    assert "70 layers of 60 layers" in text_of(client.get("/violations").text)


def test_what_is_waived_says_why_who_and_until_when(
    client: TestClient, world: World, made: Violations
) -> None:
    made.open(world.repository_id)
    waived(world.database, "acme/*", NOW)

    (row,) = items(client)
    page = text_of(client.get("/violations").text)
    of_repository = text_of(client.get("/repository?ref=hub/acme/app").text)

    assert row["state"] == "waived"
    assert isinstance(row["waiver"], dict)
    assert row["waiver"]["reason"] == "torch moves out in 1.6"
    assert row["waiver"]["author"] == "ops"
    assert row["waiver"]["expires_at"] == "2026-10-22T09:40:00Z"
    for text in (page, of_repository):
        assert "waived until 2026-10-22 by ops: torch moves out in 1.6" in text
    assert "nothing exceeds its limit" in page
    assert "1 waived" in page


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 2),
        ("?state=all", 3),
        ("?state=closed", 1),
        ("?team=shop", 1),
        ("?team=", 1),
        ("?severity=critical", 1),
        ("?policy=services&state=all", 3),
        ("?registry=hub&repository=acme/app", 2),
        ("?team=' OR 1=1--", 0),
        ("?policy=%25", 0),
        ("?limit=1", 1),
    ],
)
def test_filters_hold_for_the_list_and_its_twins__api_001_api_002(
    client: TestClient, world: World, made: Violations, query: str, count: int
) -> None:
    made.open(world.repository_id)
    made.open(world.repository_id, team=None, severity="critical")
    made.close(made.open(world.repository_id))

    twin = client.get(f"/violations.json{query}").json()
    table = client.get(f"/violations.csv{query}").text
    page = client.get(f"/violations{query}")

    assert len(items(client, query)) == count
    assert twin == client.get(f"{API}{query}").json()
    assert len(list(csv.DictReader(io.StringIO(table)))) == count
    assert page.status_code == 200
    assert page.text.count('<th scope="row"><a href="/image?ref=') == count


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("limit=1000000000", 400, "invalid_parameter"),
        ("limit=-1", 400, "invalid_parameter"),
        ("limit=abc", 400, "invalid_parameter"),
        ("limit=１０", 400, "invalid_parameter"),  # noqa: RUF001 - the case
        ("state=open,closed", 400, "invalid_parameter"),
        ("severity=dire", 400, "invalid_parameter"),
        ("cursor=AAAA", 400, "invalid_cursor"),
        ("team=a&team=b", 400, "repeated_parameter"),
        ("teem=a", 400, "unknown_parameter"),
        ("registry=hub' OR 'a'='a", 404, "registry_not_found"),
        ("repository=no/such", 404, "repository_not_found"),
    ],
)
def test_a_wrong_filter_is_refused__api_001_api_003_api_004_api_006_api_008(
    client: TestClient, made: Violations, query: str, status: int, code: str
) -> None:
    for path in (API, "/violations.json", "/violations.csv"):
        answer = client.get(f"{path}?{query}")

        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_pages_follow_each_other_by_cursor(
    client: TestClient, world: World, made: Violations
) -> None:
    expected = [made.open(world.repository_id) for _ in range(5)]

    seen: list[object] = []
    query = "?limit=2"
    while query:
        answer = client.get(f"{API}{query}").json()
        seen += [row["id"] for row in answer["items"]]
        cursor = answer["next_cursor"]
        query = f"?limit=2&cursor={cursor}" if cursor else ""
    page = client.get("/violations?limit=2").text
    table = client.get("/violations.csv?limit=2")

    assert seen == expected[::-1]
    assert "Next page" in page
    assert 'rel="next"' in table.headers["link"]


def test_a_repository_has_its_open_violations_beside_its_policies(
    client: TestClient, world: World, made: Violations
) -> None:
    opened = made.open(world.repository_id)
    made.close(made.open(world.repository_id))

    one = client.get("/api/v1/repository?ref=hub/acme/app").json()
    document = client.get("/api/v1/openapi.json").json()

    assert [row["id"] for row in one["violations"]] == [opened]
    schema = {"$ref": "#/components/schemas/OneRepository"}
    assert misfits(one, schema, document) == []
    assert (
        misfits(
            client.get(API).json(),
            {"$ref": "#/components/schemas/ViolationList"},
            document,
        )
        == []
    )


def test_repositories_are_listed_by_whether_they_violate(
    client: TestClient, world: World, made: Violations
) -> None:
    def count(query: str) -> int:
        found: list[object] = client.get(f"/api/v1/repositories{query}").json()["items"]
        return len(found)

    before = (count("?violating=true"), count("?violating=false"))
    made.open(world.repository_id)
    after = (count("?violating=true"), count("?violating=false"))
    waived(world.database, "acme/app", NOW)

    assert before == (0, 1)
    assert after == (1, 0)
    assert (count("?violating=true"), count("")) == (0, 1)
    assert client.get("/?violating=true&sort=name").status_code == 200
    assert client.get("/api/v1/repositories?violating=1").status_code == 400


def test_hostile_names_and_lines_are_plain_text_in_html_and_csv(
    client: TestClient, world: World, made: Violations
) -> None:
    line = LineChange("grown", f"={HOSTILE}", 1, 9, 8)
    made.open(
        world.repository_id,
        policy=f"@{HOSTILE}",
        team=f"+{HOSTILE}",
        tag=f"-{HOSTILE}",
        cause=Cause("own", None, (line,), 8),
    )
    waived(world.database, "acme/app", NOW, reason=f"={HOSTILE}", author=f"@{HOSTILE}")

    pages = [client.get("/violations"), client.get("/repository?ref=hub/acme/app")]
    table = client.get("/violations.csv")

    for page in pages:
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "&lt;script&gt;" in page.text
    (row,) = csv.DictReader(io.StringIO(table.text))
    formulas = [
        name for name, value in row.items() if value[:1] in ("=", "+", "-", "@")
    ]
    assert formulas == []
    assert row["cause_instruction"] == f"'={HOSTILE}"
    assert table.headers["content-disposition"].startswith("attachment")
    assert json.loads(client.get("/violations.json").content)


def test_the_table_has_the_cause_and_the_waiver_in_columns_of_their_own(
    client: TestClient, world: World, made: Violations
) -> None:
    made.open(world.repository_id)
    made.open(world.repository_id, cause=None)
    waived(world.database, "acme/app", NOW)

    rows = list(csv.DictReader(io.StringIO(client.get("/violations.csv").text)))

    assert tuple(rows[0]) == VIOLATION_COLUMNS
    assert [row["cause_instruction"] for row in rows] == [
        "",
        TORCH.changes[0].instruction,
    ]
    assert rows[0]["waiver_expires_at"] == "2026-10-22T09:40:00Z"


def test_booleans_of_csv_are_spelt_as_in_json(client: TestClient, world: World) -> None:
    Violations(world.database, NOW).open(world.repository_id, is_silent=True)

    (row,) = csv.DictReader(io.StringIO(client.get("/violations.csv").text))

    assert row["is_silent"] == "true"
