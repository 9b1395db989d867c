"""`GET /api/v1/history`: the moves of a tag, or the newest images of a repository."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from starlette.testclient import TestClient

from support.html import parse
from support.images import a_layer, an_image
from support.store_world import World
from support.web_app import create_app
from weighbridge.domain.image.document import Image, Line
from weighbridge.presentation.rows.history_rows import HistoryStepRow
from weighbridge.presentation.rows.report_rows import keys_of
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions

HISTORY: Final = "/api/v1/history"
NOW: Final = datetime(2026, 3, 10, tzinfo=UTC)
API_PAGE: Final = Path(__file__).parents[3] / "docs" / "api.md"


def a_build(number: int, size: int) -> Image:
    layers = [a_layer("base", 50), a_layer(number, size)]
    texts = ("ADD rootfs /", "COPY . /app")
    return an_image(layers, lines=[Line(t, None, layer=i) for i, t in enumerate(texts)])


@pytest.fixture
def client(world: World) -> TestClient:
    """Three images, one after the other, each under a tag of its own and `latest`."""
    for number, size in enumerate((100, 130, 90)):
        image = a_build(number, size)
        world.crawl({"latest": image, f"1.{number}": image})
    app = create_app(world.database, Telemetry(), WebOptions(), now=lambda: NOW)
    return TestClient(app, base_url="http://127.0.0.1")


def sizes(client: TestClient, query: str) -> list[int]:
    found = client.get(f"{HISTORY}?{query}")
    assert found.status_code == 200, found.text
    return [step["compressed_bytes"] for step in found.json()["items"]]


def test_a_repository_has_a_step_for_each_newest_image(client: TestClient) -> None:
    found = client.get(f"{HISTORY}?ref=hub/acme/app").json()

    assert (found["tag"], found["reason"], found["next_cursor"]) == (None, None, None)
    assert [step["tags"] for step in found["items"]] == [
        ["1.2", "latest"],
        ["1.1", "latest"],
        ["1.0", "latest"],
    ]
    assert [step["grown_bytes"] for step in found["items"]] == [-40, 30, None]
    assert found["items"][1]["cause"]["changes"][0]["instruction"] == "COPY . /app"
    assert found["items"][2]["lines"][0] == {
        "instruction": "COPY . /app",
        "compressed_bytes": 100,
    }


def test_a_tag_has_its_own(client: TestClient) -> None:
    assert sizes(client, "ref=hub/acme/app:latest") == [140, 180, 150]
    assert sizes(client, "ref=hub/acme/app:1.1") == [180]


def test_a_repository_shows_its_latest_steps(client: TestClient) -> None:
    steps = client.get(f"{HISTORY}?ref=hub/acme/app").json()["items"]

    whole = client.get("/api/v1/repository?ref=hub/acme/app").json()

    assert whole["history"] == steps


def test_pages_follow_one_another(client: TestClient) -> None:
    first = client.get(f"{HISTORY}?ref=hub/acme/app&limit=2").json()
    second = client.get(
        f"{HISTORY}?ref=hub/acme/app&limit=2&cursor={first['next_cursor']}"
    ).json()

    assert [step["compressed_bytes"] for step in first["items"]] == [140, 180]
    assert [step["compressed_bytes"] for step in second["items"]] == [150]
    assert second["items"][0]["until"] == first["items"][1]["at"]
    assert second["next_cursor"] is None


def test_only_the_last_days_are_answered_where_that_is_asked_for(
    client: TestClient,
) -> None:
    assert sizes(client, "ref=hub/acme/app&since=7d") == [140, 180]
    assert sizes(client, "ref=hub/acme/app&since=1h") == []


@pytest.mark.parametrize(
    ("query", "status", "code", "nearest"),
    [
        ("ref=hub/acme/ap", 404, "repository_not_found", ["hub/acme/app"]),
        ("ref=hub/acme/app:latst", 404, "tag_not_found", ["latest"]),
        (f"ref=hub/acme/app@sha256:{'a' * 64}", 400, "no_digest", None),
        ("ref=hub/acme/app&since=yesterday", 400, "invalid_parameter", None),
        ("ref=hub/acme/app&cursor=tags:a:b", 400, "invalid_cursor", None),
        ("ref=hub/acme/app&platform=linux", 400, "invalid_platform", None),
    ],
)
def test_what_cannot_be_answered_says_why(
    client: TestClient, query: str, status: int, code: str, nearest: list[str] | None
) -> None:
    found = client.get(f"{HISTORY}?{query}")

    error = found.json()["error"]
    assert (found.status_code, error["code"]) == (status, code)
    assert (error["detail"] or {}).get("nearest") == nearest


def test_an_answer_that_is_the_same_is_not_sent_again(client: TestClient) -> None:
    query = f"{HISTORY}?ref=hub/acme/app"
    tag = client.get(query).headers["etag"]

    again = client.get(query, headers={"if-none-match": tag})

    assert again.status_code == 304


def test_the_page_shows_keys_that_there_are(client: TestClient) -> None:
    section = API_PAGE.read_text(encoding="utf-8").partition("\n## History\n")[2]
    found = re.search(r"^```json\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert found is not None
    example = json.loads(found[1])

    answer = client.get(f"{HISTORY}?ref=hub/acme/app").json()

    assert example.keys() == answer.keys()
    assert example["items"][0].keys() <= set(keys_of(HistoryStepRow))


def test_the_page_of_the_repository_draws_the_same_steps(client: TestClient) -> None:
    page = parse(client.get("/repository?ref=hub/acme/app&since=90d").text)

    panel = next(s for s in page.all("section") if "over time" in s.text)
    rows = panel.one("tbody").all("tr")
    assert [row.amounts()[0] for row in rows] == [140, 180, 150]
    links = [a.attributes["href"] for a in panel.one("svg", "h330").all("a")]
    assert [client.get(link).status_code for link in links] == [200] * 3
    assert client.get("/repository?ref=hub/acme/app&since=7d").status_code == 400
