"""What a token of teams sees of crawls, requests, search and registries, and what
`team` shows of a list."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from support.database import Engine, a_database
from support.html import parse
from support.images import a_layer, an_image
from support.many_repositories import add_repositories
from support.read_model import NOW
from support.store_world import World, an_entry
from support.teams import a_service_of_teams, team_policies
from support.tokens import a_token, bearer
from weighbridge.store.crawls.crawl_requests import put_request
from weighbridge.store.maintenance.forgetting import find_known, forget
from weighbridge.store.registries.registry_rows import find_registry_id, put_registry
from weighbridge.store.registries.repository_rows import put_repositories
from weighbridge.store.session import Database
from weighbridge.web.request.sight import Sights

SECOND = timedelta(seconds=1)
POLICIES = team_policies({"shop/*": "shop", "web/*": "web"})


@pytest.fixture
def database(tmp_path: Path, engine: Engine) -> Iterator[Database]:
    with a_database(tmp_path, engine) as opened:
        yield opened


@pytest.fixture
def asked(database: Database) -> TestClient:
    """Repositories of two teams and of nobody, each with a crawl and a tag of its own;
    one registry has none of the first team's."""
    for registry, name in (
        ("hub", "shop/a"),
        ("hub", "web/a"),
        ("hub", "nobody/a"),
        ("near", "web/b"),
        ("hub", "shop/b"),
    ):
        world = World(database, registry=registry, repository=name)
        tag = f"1-{name.partition('/')[0]}"
        world.crawl({tag: an_image([a_layer(name, 1000)])})
        world.crawl({})
    a_token(database, "read", NOW)
    return a_service_of_teams(database, lambda: POLICIES)


@pytest.fixture
def shop(database: Database) -> dict[str, str]:
    return bearer(a_token(database, "read", NOW, teams=frozenset({"shop"})))


@pytest.fixture
def everything(database: Database) -> dict[str, str]:
    return bearer(a_token(database, "admin", NOW))


def rows(client: TestClient, path: str, headers: dict[str, str]) -> list[str]:
    """The repositories of a list, page by page."""
    found: list[str] = []
    query = "&" if "?" in path else "?"
    cursor = ""
    while True:
        answer = client.get(f"{path}{query}limit=1{cursor}", headers=headers)
        assert answer.status_code == 200, answer.text
        found += [row["repository"] for row in answer.json()["items"]]
        after = answer.json()["next_cursor"]
        if after is None:
            return found
        cursor = f"&cursor={after}"


@pytest.mark.parametrize("path", ["/api/v1/crawls", "/crawls.json"])
def test_crawls_are_those_of_repositories_that_are_seen(
    asked: TestClient,
    shop: dict[str, str],
    everything: dict[str, str],
    path: str,
) -> None:
    assert rows(asked, path, shop) == ["shop/b", "shop/b", "shop/a", "shop/a"]
    assert rows(asked, f"{path}?team=shop", everything) == rows(asked, path, shop)
    assert len(rows(asked, path, everything)) == 10
    assert rows(asked, f"{path}?team=web", shop) == []
    assert rows(asked, f"{path}?team=none such", shop) == []
    assert rows(asked, f"{path}?team=", everything) == ["nobody/a", "nobody/a"]
    assert rows(asked, f"{path}?team=", shop) == []


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("registry=hub", ["shop/b", "shop/b", "shop/a", "shop/a"]),
        ("repository=shop/a", ["shop/a", "shop/a"]),
        ("registry=hub&repository=shop/b", ["shop/b", "shop/b"]),
    ],
)
def test_crawls_are_filtered_among_what_is_seen(
    asked: TestClient, shop: dict[str, str], query: str, seen: list[str]
) -> None:
    assert rows(asked, f"/api/v1/crawls?{query}", shop) == seen


def test_a_crawl_of_another_team_s_repository_is_not_known(
    asked: TestClient, shop: dict[str, str], everything: dict[str, str]
) -> None:
    every = asked.get("/api/v1/crawls", headers=everything).json()["items"]

    for row in every:
        answer = asked.get(f"/api/v1/crawls/{row['id']}", headers=shop)
        if row["repository"].startswith("shop/"):
            assert answer.json() == row
        else:
            absent = asked.get("/api/v1/crawls/987654", headers=shop)
            assert answer.status_code == absent.status_code == 404
            assert answer.text.replace(f"{row['id']}", "987654") == absent.text


def test_the_page_of_crawls_and_its_table_show_no_others(
    asked: TestClient, database: Database, shop: dict[str, str]
) -> None:
    a_request(database, ["web/a"])
    a_request(database, ["shop/a"])

    for path in ("/crawls", "/crawls.csv"):
        answer = asked.get(path, headers=shop)

        assert answer.status_code == 200, answer.text
        shown = parse(answer.text).text if path == "/crawls" else answer.text
        assert "shop/a" in shown
        for other in ("web/", "nobody/", "near"):
            assert other not in shown


def a_request(database: Database, names: list[str] | None) -> int:
    with database.write() as connection:
        registry = find_registry_id(connection, "hub")
        assert registry is not None
        return put_request(
            connection,
            registry,
            names,
            measures=True,
            now=NOW,
            owner=None,
            lease_s=60,
            resume_s=60,
        ).id


def test_a_request_is_seen_where_all_that_it_is_about_is(
    asked: TestClient, database: Database, shop: dict[str, str]
) -> None:
    own = a_request(database, ["shop/a", "shop/b"])
    others = [
        a_request(database, names)
        for names in (["web/a"], ["shop/a", "web/a"], ["shop/a", "shop/zzz"], None)
    ]
    path = "/api/v1/crawl-requests/{}"

    assert asked.get(path.format(own), headers=shop).json()["registry"] == "hub"
    absent = asked.get(path.format(987654), headers=shop)
    for number in others:
        answer = asked.get(path.format(number), headers=shop)
        assert answer.status_code == absent.status_code == 404
        assert answer.text.replace(f"{number}", "987654") == absent.text


def hits(client: TestClient, query: str, headers: dict[str, str]) -> list[str]:
    answer = client.get(f"/api/v1/search?{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return [f"{hit['repository']}:{hit['tag'] or ''}" for hit in answer.json()["items"]]


def test_search_finds_what_is_seen(
    asked: TestClient, shop: dict[str, str], everything: dict[str, str]
) -> None:
    own = ["shop/a:", "shop/b:", "shop/a:1-shop", "shop/b:1-shop"]

    assert hits(asked, "q=shop", shop) == own
    assert hits(asked, "q=SHOP", shop) == own
    assert hits(asked, "q=web", shop) == hits(asked, "q=zzz", shop) == []
    assert hits(asked, "q=1-", shop) == own[2:]
    assert hits(asked, "q=1-&limit=1", shop) == own[2:3]
    assert hits(asked, "q=a", shop) == ["shop/a:"]
    assert hits(asked, "q=1-&team=shop", everything) == own[2:]
    assert hits(asked, "q=1-&team=web", shop) == []
    assert hits(asked, "q=1-&team=", everything) == ["nobody/a:1-nobody"]
    page = parse(asked.get("/search?q=a", headers=shop).text).text
    assert "shop/a" in page
    assert "web/" not in page
    assert "1 hit for a" in page


def test_a_registry_shows_a_team_the_sums_over_its_own(
    asked: TestClient, shop: dict[str, str], everything: dict[str, str]
) -> None:
    own = asked.get("/api/v1/registries", headers=shop).json()["items"]
    of_team = asked.get("/api/v1/registries?team=shop", headers=everything).json()
    every = asked.get("/api/v1/registries", headers=everything).json()["items"]

    assert [row["name"] for row in own] == ["hub"]
    assert of_team["items"] == own
    assert [row["name"] for row in every] == ["hub", "near"]
    hub = own[0]
    assert (hub["repositories"], hub["tags"]) == (2, 2)
    assert (every[0]["repositories"], every[0]["tags"]) == (4, 4)
    assert hub["repository_states"]["ok"] == 2
    image = asked.get("/api/v1/repository?ref=hub/shop/a", headers=shop).json()
    assert hub["newest_compressed_bytes"] == 2 * image["newest_compressed_bytes"]
    assert hub["referenced_bytes"] == 2 * image["referenced_bytes"]
    assert hub["state"] == every[0]["state"]
    for key in ("deduplicated_bytes", "shared_bytes", "requests", "bytes_read"):
        assert hub[key] is None
        assert every[0][key] is not None
    for team in ("web", "none such", ""):
        answer = asked.get(f"/api/v1/registries?team={team}", headers=shop)
        assert answer.json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("path", ["/repositories.json", "/repositories.csv", "/"])
def test_team_filters_the_list_of_repositories(
    asked: TestClient, shop: dict[str, str], everything: dict[str, str], path: str
) -> None:
    names = {"shop/a", "shop/b", "web/a", "web/b", "nobody/a"}

    def seen(team: str, headers: dict[str, str]) -> set[str]:
        answer = asked.get(f"{path}?team={team}", headers=headers)
        assert answer.status_code == 200, answer.text
        return {name for name in names if name in answer.text}

    assert seen("web", everything) == {"web/a", "web/b"}
    assert seen("", everything) == {"nobody/a"}
    assert seen("none such", everything) == set()
    assert seen("shop", shop) == {"shop/a", "shop/b"}
    assert seen("web", shop) == seen("none such", shop) == set()
    hidden = asked.get(f"{path}?team=web&registry=hub", headers=shop)
    absent = asked.get(f"{path}?team=zzz&registry=hub", headers=shop)
    assert hidden.text.replace("team=web", "team=zzz").replace(
        'name="team" value="web"', 'name="team" value="zzz"'
    ) == (absent.text)


def test_a_token_of_two_teams_sees_each_of_them_by_its_name(
    asked: TestClient, database: Database
) -> None:
    teams = frozenset({"shop", "web"})
    both = bearer(a_token(database, "read", NOW, teams=teams))

    assert len(rows(asked, "/api/v1/crawls", both)) == 8
    assert set(rows(asked, "/api/v1/crawls?team=web", both)) == {"web/a", "web/b"}
    assert set(rows(asked, "/api/v1/repositories?team=shop", both)) == {
        "shop/a",
        "shop/b",
    }


def test_a_name_that_is_not_seen_takes_no_place_among_the_nearest(
    asked: TestClient, database: Database, shop: dict[str, str]
) -> None:
    path = "/api/v1/repository?ref=hub/shot/a"
    before = asked.get(path, headers=shop).text

    add_repositories(database, ["shot/a", "shot/aa", "shot/ab", "sho/a"])

    assert "hub/shop/a" in before
    assert asked.get(path, headers=shop).text == before


def test_the_id_of_a_forgotten_repository_shows_nobody_s_of_another_team(
    tmp_path: Path,
) -> None:
    """SQLite gives the largest ids anew. Before, what a team saw was believed for five
    seconds as long as the largest id was the same."""
    with a_database(tmp_path) as database:
        ids = put(database, ["shop/a", "shop/b", "zzz/last"], NOW)
        everyones = Sights(lambda: POLICIES, clock=lambda: 0.0)
        with database.read() as connection:
            before = everyones.of_teams(connection, frozenset({"shop"}))
        forget_all(database, "hub")
        again = put(database, ["web/a", "shop/b", "zzz/last"], NOW + SECOND)
        with database.read() as connection:
            after = everyones.of_teams(connection, frozenset({"shop"}))

        assert sorted(again.values()) == sorted(ids.values())
        assert before.ids == {ids["shop/a"], ids["shop/b"]}
        assert after.ids == {again["shop/b"]}


def put(database: Database, names: list[str], now: datetime) -> dict[str, int]:
    with database.write() as connection:
        registry = put_registry(connection, an_entry(), now)
        return put_repositories(connection, registry, names, now)


def forget_all(database: Database, registry: str) -> None:
    with database.read() as connection:
        known = find_known(connection, registry, None)
    assert known is not None
    forget(
        database,
        known,
        lambda: NOW + SECOND,
        owner="test",
        listing="list",
        watch=lambda *_: None,
    )


def test_the_last_crawl_that_a_page_tells_of_is_of_what_is_seen(
    asked: TestClient, database: Database, shop: dict[str, str]
) -> None:
    before = asked.get("/search?q=shop", headers=shop).text
    late = World(database, repository="web/a", now=NOW)

    late.crawl({})

    assert asked.get("/search?q=shop", headers=shop).text == before


def test_a_storage_scope_has_the_name_of_an_address_of_entries_that_are_seen(
    database: Database,
) -> None:
    """Else it would say that another team has something there."""
    for registry, name in (("hub", "shop/a"), ("near", "web/b")):
        World(database, registry, name, url="https://hub.example").crawl({})
    shop, both = (
        bearer(a_token(database, "read", NOW, teams=frozenset(teams)))
        for teams in ({"shop"}, {"shop", "web"})
    )
    asked = a_service_of_teams(database, lambda: POLICIES)
    path = "/api/v1/repository?ref=hub/shop/a"

    of_both = asked.get(path, headers=both).json()
    own = asked.get(path, headers=shop).json()

    assert of_both["storage_scope"] == "https://hub.example:443"
    assert own["storage_scope"] == "hub"
