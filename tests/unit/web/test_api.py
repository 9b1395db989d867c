"""The API over a real database."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Connection
from starlette.testclient import TestClient

from support.html import parse
from support.images import (
    a_layer,
    an_artifact_of,
    an_image,
    an_index_of,
    some_layers,
)
from support.many_repositories import mark_gone
from support.policies import a_policy
from support.read_model import NOW
from support.store_world import T0, World, a_result
from support.web_app import create_app
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.policy.policy import Match, PolicySet
from weighbridge.domain.report.inventory import RepositoryReport
from weighbridge.errors import StoreError
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions

pytestmark = pytest.mark.slow

PYTHON = an_image(some_layers(55_025_206, 5_163_370, 196_877_237))
ARM = an_image(some_layers(41_000_000, name="arm"), platform=Platform("linux", "arm64"))

LISTS = [
    "/api/v1/registries",
    "/api/v1/repositories",
    "/api/v1/tags?ref=hub/acme/app",
    "/api/v1/crawls",
    "/api/v1/search?q=app",
]


@pytest.fixture
def pushed(world: World) -> World:
    """One repository whose tag names an image for two platforms."""
    world.keep(PYTHON, ARM)
    world.crawl({"3.7": an_index_of(PYTHON, ARM), "old": PYTHON}, pushed_at=T0)
    return world


@pytest.mark.parametrize("path", LISTS)
def test_every_list_has_items_and_a_cursor(
    pushed: World, client: TestClient, path: str
) -> None:
    answer = client.get(path)

    assert answer.headers["content-type"] == "application/json"
    assert answer.json().keys() == {"items", "next_cursor"}
    assert answer.json()["items"]


def test_a_row_has_the_names_of_the_read_model(
    pushed: World, client: TestClient
) -> None:
    (row,) = client.get("/api/v1/repositories").json()["items"]

    ages = {"is_stale", "age_seconds"}
    assert set(row) == set(RepositoryReport.__dataclass_fields__) | ages
    assert row["repository"] == "acme/app"
    assert row["newest_compressed_bytes"] == PYTHON.compressed_bytes
    assert row["newest_uncompressed_bytes"] is None
    assert row["last_complete_crawl_at"] == "2026-03-02T12:00:00Z"


def test_one_repository_is_the_row_of_the_list(
    pushed: World, client: TestClient
) -> None:
    (row,) = client.get("/api/v1/repositories").json()["items"]

    one = client.get("/api/v1/repository?ref=hub/acme/app").json()

    assert [step["image"] for step in one["history"]] == [row["newest_digest"]]
    also = {"policies": one["policies"], "history": one["history"]}
    assert one == row | also | {"violations": []}


def test_one_repository_says_which_policy_decides_for_its_newest_image(
    pushed: World,
) -> None:
    policies = PolicySet(
        [
            a_policy("other", Match(tag="nothing-*"), max_compressed=1),
            a_policy(
                "slim",
                Match("hub", "acme/*"),
                max_compressed=500,
                max_layers=60,
                team="shop",
            ),
        ]
    )
    options = WebOptions(policies=lambda: policies)
    app = create_app(pushed.database, Telemetry(), options, now=lambda: NOW)
    client = TestClient(app, base_url="http://127.0.0.1:8080")

    decided = client.get("/api/v1/repository?ref=hub/acme/app").json()["policies"]

    assert decided == [
        {"key": "team", "value": "shop", "policy": "slim"},
        {"key": "max_compressed", "value": 500, "policy": "slim"},
        {"key": "max_uncompressed", "value": None, "policy": None},
        {"key": "max_growth", "value": None, "policy": None},
        {"key": "min_growth", "value": None, "policy": None},
        {"key": "max_layers", "value": 60, "policy": "slim"},
        {"key": "max_layer_compressed", "value": None, "policy": None},
        {"key": "allowed_bases", "value": None, "policy": None},
        {"key": "max_base_age", "value": None, "policy": None},
        {"key": "notify_base_moved", "value": None, "policy": None},
        {"key": "max_deduplicated", "value": None, "policy": None},
        {"key": "severity", "value": "warning", "policy": None},
    ]


def test_an_image_has_the_schema_of_inspect(pushed: World, client: TestClient) -> None:
    document = client.get("/api/v1/image?ref=hub/acme/app:3.7").json()

    (image,) = document["images"]
    assert document["schema"] == "weighbridge.inspect/1"
    assert document["platforms"] == ["linux/amd64", "linux/arm64"]
    assert image["compressed_bytes"] == PYTHON.compressed_bytes
    assert sum(y["compressed_bytes"] for y in image["layers"]) == (
        PYTHON.compressed_bytes
    )
    assert [line["layer"] for line in image["lines"]] == [0, 1, 2]


def test_another_platform_is_another_image(pushed: World, client: TestClient) -> None:
    path = "/api/v1/image?ref=hub/acme/app:3.7&platform=linux/arm64"

    (image,) = client.get(path).json()["images"]

    assert image["digest"] == ARM.digest
    assert image["compressed_bytes"] == 41_000_000


def test_an_image_can_be_asked_by_digest(pushed: World, client: TestClient) -> None:
    document = client.get(f"/api/v1/image?ref=hub/acme/app@{ARM.digest}").json()

    assert document["digest"] == ARM.digest
    assert document["tag"] is None


def test_an_artifact_is_answered_as_what_it_is(
    world: World, client: TestClient
) -> None:
    chart = an_artifact_of(a_layer("chart", 700), role="artifact")
    world.crawl({"chart": chart})

    document = client.get("/api/v1/image?ref=hub/acme/app:chart").json()

    assert (document["kind"], document["images"]) == ("artifact", [])


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/v1/repository?ref=hub/acme/none", "repository_not_found"),
        ("/api/v1/tags?ref=elsewhere/acme/app", "repository_not_found"),
        ("/api/v1/image?ref=hub/acme/app:none", "image_not_found"),
        ("/api/v1/image?ref=hub/acme/app", "image_not_found"),
        ("/api/v1/crawls/4711", "crawl_not_found"),
        ("/api/v1/crawls/99999999999999999999", "crawl_not_found"),
        ("/api/v1/crawls/x", "crawl_not_found"),
        ("/?registry=elsewhere", "registry_not_found"),
        ("/api/v1/repositories?registry=elsewhere", "registry_not_found"),
        ("/repositories.json?registry=elsewhere", "registry_not_found"),
        ("/repositories.csv?registry=elsewhere", "registry_not_found"),
        ("/api/v1/crawls?registry=elsewhere", "registry_not_found"),
        (
            "/api/v1/crawls?registry=elsewhere&repository=acme/app",
            "registry_not_found",
        ),
        ("/api/v1/crawls?registry=hub&repository=no", "repository_not_found"),
        ("/api/v1/crawls?repository=no", "repository_not_found"),
        (
            "/api/v1/image?ref=hub/acme/app:3.7&platform=linux/s390x",
            "image_not_found",
        ),
        ("/image?ref=hub/acme/app:3.7&platform=linux/s390x", "image_not_found"),
        ("/image.json?ref=hub/acme/app:3.7&platform=linux/s390x", "image_not_found"),
        ("/image.csv?ref=hub/acme/app:3.7&platform=linux/s390x", "image_not_found"),
    ],
)
def test_what_is_not_there_is_404_with_a_code(
    pushed: World, client: TestClient, path: str, code: str
) -> None:
    answer = client.get(path)

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == code


def test_a_platform_that_is_not_there_is_answered_with_those_that_are(
    pushed: World, client: TestClient
) -> None:
    path = "/api/v1/image?ref=hub/acme/app:3.7&platform=linux/s390x"

    error = client.get(path).json()["error"]

    assert error["message"].startswith("hub/acme/app:3.7 has no image for linux/s390x")
    assert error["detail"] == {"platforms": ["linux/amd64", "linux/arm64"]}


def test_nothing_found_in_a_known_registry_is_an_empty_list(
    world: World, client: TestClient
) -> None:
    for path in (
        "/api/v1/repositories?registry=hub&q=nothing-has-this",
        "/api/v1/crawls?registry=hub",
        "/api/v1/crawls?registry=hub&repository=acme/app",
        "/api/v1/crawls?repository=acme/app",
    ):
        answer = client.get(path)

        assert (answer.status_code, answer.json()["items"]) == (200, [])


def test_a_reason_that_there_is_none_of_is_null(
    pushed: World, client: TestClient
) -> None:
    pushed.crawl(result=a_result(complete=False, state="partial", reason="bad_tls"))

    (registry,) = client.get("/api/v1/registries").json()["items"]
    (repository,) = client.get("/api/v1/repositories").json()["items"]
    newest, oldest = client.get("/api/v1/crawls").json()["items"]

    assert registry["state_reason"] is None
    assert repository["state_reason"] == newest["reason"] == "bad_tls"
    assert oldest["reason"] is None


def test_pages_of_a_list_hold_every_row_once(pushed: World, client: TestClient) -> None:
    with pushed.database.write() as connection:
        names = [f"shop/r{i}" for i in range(24)]
        put_repositories(connection, pushed.registry_id, names, T0)
    seen: list[str] = []
    cursor = ""

    for _ in range(4):
        page = client.get(f"/api/v1/repositories?limit=7{cursor}").json()
        seen += [row["repository"] for row in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"

    assert page["next_cursor"] is None
    assert sorted(seen) == sorted([*names, "acme/app"])


def test_a_read_is_answered_304_until_it_changes(
    pushed: World, client: TestClient
) -> None:
    path = "/api/v1/repositories"
    etag = client.get(path).headers["etag"]
    sent = {"if-none-match": f'"other", {etag}'}

    same = client.get(path, headers=sent)
    pushed.crawl({"4": an_image(some_layers(7))})
    changed = client.get(path, headers=sent)

    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == etag
    assert changed.status_code == 200


def test_an_age_alone_changes_no_etag(pushed: World) -> None:
    """A client that asks each second would otherwise never be answered 304."""
    moments = iter([NOW, NOW + timedelta(seconds=7), NOW + timedelta(days=9)])
    app = create_app(
        pushed.database, Telemetry(), WebOptions(), now=lambda: next(moments)
    )
    client = TestClient(app, base_url="http://127.0.0.1:8080")
    path = "/api/v1/repository?ref=hub/acme/app"

    first, later = client.get(path), client.get(path)

    assert later.json()["age_seconds"] == first.json()["age_seconds"] + 7
    assert later.headers["etag"] == first.headers["etag"]
    assert first.headers["etag"].startswith("W/")


def test_age_state_and_storage_stand_in_rows(pushed: World, client: TestClient) -> None:
    registry, repository = (
        client.get(f"/api/v1/{path}").json()["items"][0]
        for path in ("registries", "repositories")
    )

    for row in (registry, repository):
        assert row["is_stale"] is True  # NOW is months after that crawl
        assert row["age_seconds"] > 2 * row["interval_s"] == 7200
        assert row["state"] is not None
        assert row["state_since"] is not None
        assert row["exclusive_bytes"] + row["shared_bytes"] == row["deduplicated_bytes"]
    assert repository["storage_scope"] == "hub"
    assert registry["storage_scope_kind"] == "registry"
    assert registry["repository_states"]["ok"] == 1


@pytest.mark.parametrize(
    "sort", ["deduplicated", "exclusive", "shared", "growth", "compressed"]
)
def test_repositories_can_be_sorted_by_storage_and_growth(
    pushed: World, client: TestClient, sort: str
) -> None:
    answer = client.get(f"/api/v1/repositories?sort={sort}&order=desc")

    assert [row["repository"] for row in answer.json()["items"]] == ["acme/app"]


def test_a_repository_that_is_gone_is_answered_as_gone_and_listed_nowhere(
    pushed: World, client: TestClient
) -> None:
    mark_gone(pushed.database, [pushed.repository_id], T0)

    asked = client.get("/api/v1/repository?ref=hub/acme/app").json()
    page = parse(client.get("/repository?ref=hub/acme/app").text)

    assert (asked["state"], asked["deleted_at"]) == ("deleted", "2026-03-01T12:00:00Z")
    assert "no longer has it" in page.one("div", "banner").text
    assert client.get("/api/v1/repositories").json()["items"] == []
    assert client.get("/api/v1/search?q=acme").json()["items"] == []
    assert client.get("/api/v1/registries").json()["items"][0]["repositories"] == 0


def test_the_page_of_a_search_lists_what_has_the_text_in_its_name(
    pushed: World, client: TestClient
) -> None:
    page = client.get("/search?q=acme")
    empty = client.get("/search?q=")

    assert (page.status_code, empty.status_code) == (200, 200)
    assert "acme/app" in parse(page.text).one("main").text
    assert "acme/app" not in parse(empty.text).one("main").text


@pytest.mark.parametrize("path", [*LISTS, "/", "/repository?ref=hub/acme/app"])
def test_while_the_database_is_away_the_answer_says_when_to_come_back__f24(
    pushed: World, path: str
) -> None:
    away = Away(pushed.database)
    app = create_app(away, Telemetry(), WebOptions(), now=lambda: NOW)
    client = TestClient(app, base_url="http://127.0.0.1:8080")
    scrape = "/metrics/repositories"
    before = client.get(scrape).text

    away.is_away = True
    answer = client.get(path)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert client.get("/readyz").status_code == 503
    assert client.get("/metrics").status_code == 200
    assert 'last_success_timestamp_seconds{registry="hub"}' in (
        client.get("/metrics").text
    )
    assert client.get(scrape).text == before
    assert f"snapshot_timestamp_seconds {round(NOW.timestamp())}\n" in before
    away.is_away = False
    assert client.get(path).status_code == 200


class Away(Database):
    """A database that can stop answering."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_away = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        if self.is_away:
            raise StoreError("the server is gone", code="database_busy")
        with self._database.read() as connection:
            yield connection


def test_the_table_of_a_page_is_there_as_json_and_csv(
    pushed: World, client: TestClient
) -> None:
    for page, rows in (
        ("/repositories", "/api/v1/repositories"),
        ("/repository", "/api/v1/tags"),
        ("/crawls", "/api/v1/crawls"),
    ):
        ref = "?ref=hub/acme/app" if page == "/repository" else ""
        items = client.get(f"{rows}{ref}").json()["items"]

        assert client.get(f"{page}.json{ref}").json()["items"] == items
        table = list(csv.DictReader(io.StringIO(client.get(f"{page}.csv{ref}").text)))
        assert [list(row) for row in table] == [list(item) for item in items]
        assert [list(row.values()) for row in table] == [
            ["" if value is None else _cell(value) for value in item.values()]
            for item in items
        ]


def _cell(value: object) -> str:
    """Truth is spelt as in JSON."""
    if isinstance(value, list):
        return " ".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_csv_of_an_image_sums_to_its_bytes(pushed: World, client: TestClient) -> None:
    text = client.get("/image.csv?ref=hub/acme/app:3.7").text

    rows = list(csv.DictReader(io.StringIO(text)))
    assert sum(int(row["compressed_bytes"]) for row in rows) == PYTHON.compressed_bytes
    assert [row["layer"] for row in rows] == ["0", "1", "2"]


def test_csv_that_is_cut_says_where_it_goes_on(
    pushed: World, client: TestClient
) -> None:
    first = client.get("/repository.csv?ref=hub/acme/app&limit=1")

    target = first.headers["link"].partition("<")[2].partition(">")[0]
    second = client.get(f"/repository.csv{target}")
    assert "3.7" in first.text
    assert "old" in second.text
    assert "link" not in second.headers


def test_a_filtered_page_still_tells_the_sum_over_all(
    pushed: World, client: TestClient
) -> None:
    whole = parse(client.get("/").text).one("dl", "figures").text
    filtered = parse(client.get("/?q=nothing-has-this").text)

    assert filtered.one("dl", "figures").text == whole
    assert filtered.all("table") == []
