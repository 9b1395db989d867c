"""Tags over their limit that newer ones came after: pages, API and CSV say it alike."""

import csv
import io

from starlette.testclient import TestClient

from support.court import LIMIT, MB, Court, weighing
from support.html import parse
from weighbridge.store.session import Database

SVC = "?ref=hub/acme/app"


def pushed(database: Database) -> Court:
    """1.1.0 is over, and 1.2.0 is within."""
    court = Court(database, [LIMIT])
    court.crawl({"1.0.0": weighing(400)})
    court.crawl({"1.1.0": weighing(501)})
    court.crawl({"1.2.0": weighing(499)})
    return court


def test_an_older_tag_over_its_limit_is_marked_counted_and_listed(
    client: TestClient, database: Database
) -> None:
    pushed(database)

    tags = client.get(f"/api/v1/tags{SVC}").json()["items"]
    (repository,) = client.get("/api/v1/repositories").json()["items"]
    rows = list(csv.DictReader(io.StringIO(client.get("/repositories.csv").text)))
    listed = client.get("/api/v1/violations?all_tags=true").json()["items"]
    newest = client.get("/api/v1/violations").json()["items"]

    assert {tag["name"]: tag["over"] for tag in tags} == {
        "1.0.0": [],
        "1.1.0": ["max_compressed"],
        "1.2.0": [],
    }
    assert repository["over_tags"] == 1
    assert [row["over_tags"] for row in rows] == ["1"]
    assert newest == []
    assert [(row["tag"], row["state"], row["amount"]) for row in listed] == [
        ("1.1.0", "over", 501 * MB)
    ]


def test_an_older_tag_over_its_limit_says_whose_word_its_size_is(
    client: TestClient, database: Database
) -> None:
    pushed(database)

    (row,) = client.get("/api/v1/violations?all_tags=true").json()["items"]

    assert row["compressed_confidence"] == "claimed"


def test_pages_mark_it_and_lead_to_the_list(
    client: TestClient, database: Database
) -> None:
    pushed(database)

    page = client.get(f"/repository{SVC}").text
    listed = parse(client.get("/violations?all_tags=true").text).text

    assert "1 tag over a limit" in parse(page).text
    assert page.count('title="Over max_compressed"') == 1
    assert "not the newest" in listed
    assert "1.1.0" in listed


def test_nothing_is_shown_as_over_that_is_within(
    client: TestClient, database: Database
) -> None:
    pushed(database)

    closed = client.get("/api/v1/violations?state=closed").json()["items"]

    assert [
        (row["tag"], row["within_tag"], row["within_amount"]) for row in closed
    ] == [("1.1.0", "1.2.0", 499 * MB)]
    assert "1.2.0 is within" in parse(client.get("/violations?state=closed").text).text
    assert client.get("/api/v1/headroom").json()["items"] == []
