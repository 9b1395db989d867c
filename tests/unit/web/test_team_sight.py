"""What a token of teams sees of the list of repositories, and where it sees nothing."""

from collections.abc import Collection

import pytest
from starlette.testclient import TestClient

from support.html import parse
from support.images import a_layer, an_image
from support.many_repositories import add_repositories
from support.read_model import NOW
from support.store_world import World
from support.teams import a_service_of_teams, team_policies
from support.tokens import a_token, bearer
from support.violations import Violations
from weighbridge.domain.access.principal import Sight
from weighbridge.domain.policy.policy import PolicySet
from weighbridge.store.reports.weighings import find_weighing
from weighbridge.store.session import Database
from weighbridge.store.tags.whereabouts import find_whereabouts
from weighbridge.web.options import WebOptions
from weighbridge.web.routes.app import ROUTES

SHOP = frozenset({"shop"})


class Policies:
    """Those in force, which a reload replaces."""

    def __init__(self) -> None:
        self.now = team_policies({"shop/*": "shop", "web/*": "web"})

    def __call__(self) -> PolicySet:
        return self.now


@pytest.fixture
def policies() -> Policies:
    return Policies()


@pytest.fixture
def asked(database: Database, policies: Policies) -> TestClient:
    """A service with repositories of two teams, one of nobody's, and one of another
    registry's."""
    for registry, names in {
        "hub": ["shop/a", "shop/b", "web/a", "nobody/a"],
        "near": ["web/b"],
    }.items():
        add_repositories(database, names, registry)
    a_token(database, "read", NOW)
    return a_service_of_teams(database, policies)


def a_team_token(database: Database, *teams: str) -> dict[str, str]:
    return bearer(a_token(database, "read", NOW, teams=frozenset(teams)))


def names(client: TestClient, headers: dict[str, str], query: str = "") -> list[str]:
    answer = client.get(f"/api/v1/repositories?sort=name&{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return sorted(row["repository"] for row in answer.json()["items"])


@pytest.mark.parametrize(
    ("teams", "seen"),
    [
        ({"shop"}, ["shop/a", "shop/b"]),
        ({"web"}, ["web/a", "web/b"]),
        ({"shop", "web"}, ["shop/a", "shop/b", "web/a", "web/b"]),
        ({"shop", "none such"}, ["shop/a", "shop/b"]),
        ({"none such"}, []),
        ({"SHOP"}, []),
        ({""}, []),
        ((), []),
    ],
)
def test_a_token_sees_the_repositories_of_its_teams_alone(
    asked: TestClient, database: Database, teams: Collection[str], seen: list[str]
) -> None:
    headers = a_team_token(database, *teams)

    assert names(asked, headers) == seen
    assert names(asked, headers, "q=a") == [name for name in seen if "a" in name]
    assert names(asked, headers, "violating=false") == seen
    assert names(asked, headers, "violating=true") == []


def test_a_page_of_one_leads_through_what_is_seen_and_no_further(
    asked: TestClient, database: Database
) -> None:
    headers = a_team_token(database, "shop")
    found: list[str] = []
    query: dict[str, str] | None = {"limit": "1"}

    while query is not None:
        answer = asked.get("/api/v1/repositories", params=query, headers=headers)
        found += [row["repository"] for row in answer.json()["items"]]
        cursor = answer.json()["next_cursor"]
        query = {"limit": "1", "cursor": cursor} if cursor else None

    assert sorted(found) == ["shop/a", "shop/b"]


def test_a_cursor_of_who_sees_all_shows_a_team_no_more(
    asked: TestClient, database: Database
) -> None:
    everything = bearer(a_token(database, "admin", NOW))
    headers = a_team_token(database, "shop")
    page = asked.get(
        "/api/v1/repositories?limit=1&sort=name&order=asc", headers=everything
    )
    cursor = page.json()["next_cursor"]

    seen = names(asked, headers, f"cursor={cursor}")

    assert seen == ["shop/a", "shop/b"]


def test_a_registry_of_which_nothing_is_seen_is_not_known(
    asked: TestClient, database: Database
) -> None:
    headers = a_team_token(database, "shop")

    hidden = asked.get("/api/v1/repositories?registry=near", headers=headers)
    absent = asked.get("/api/v1/repositories?registry=absent", headers=headers)

    assert hidden.status_code == absent.status_code == 404
    assert hidden.json() == absent.json()


def test_other_policies_hold_from_the_moment_they_are_loaded(
    asked: TestClient, database: Database, policies: Policies
) -> None:
    headers = a_team_token(database, "shop")
    assert names(asked, headers) == ["shop/a", "shop/b"]

    policies.now = team_policies({"shop/a": None, "shop/*": "shop", "nobody/*": "shop"})

    assert names(asked, headers) == ["nobody/a", "shop/b"]


def test_a_new_repository_is_seen_at_once(
    asked: TestClient, database: Database
) -> None:
    headers = a_team_token(database, "shop")
    assert names(asked, headers) == ["shop/a", "shop/b"]

    add_repositories(database, ["shop/new", "web/new"], "near")

    assert names(asked, headers) == ["shop/a", "shop/b", "shop/new"]


def test_a_policy_of_some_tags_shows_nobody_a_repository(
    asked: TestClient, database: Database, policies: Policies
) -> None:
    policies.now = team_policies({"*": "shop"}, tag="shop-*")

    assert names(asked, a_team_token(database, "shop")) == []


def test_a_route_that_does_not_say_so_is_refused_to_teams(
    asked: TestClient, database: Database
) -> None:
    headers = a_team_token(database, "shop")
    others = [
        each for each in ROUTES if each.role not in ("none",) and not each.for_teams
    ]

    for each in others:
        path = each.path.replace("{crawl_id}", "1").replace("{waiver_id}", "1")
        path = path.replace("{request_id}", "1")
        answer = asked.request(each.method, path, headers=headers)

        assert answer.status_code == 403, each.path
        assert "shop/" not in answer.text


@pytest.mark.parametrize("path", ["/metrics", "/metrics/repositories", "/probe"])
def test_nothing_that_tells_of_all_is_for_teams(
    asked: TestClient, database: Database, path: str
) -> None:
    assert asked.get(path, headers=a_team_token(database, "shop")).status_code == 403


def test_a_token_of_teams_sees_them_alone_where_everybody_reads(
    asked: TestClient, database: Database, policies: Policies
) -> None:
    here = a_service_of_teams(database, policies, WebOptions(policies=policies))
    here.base_url = "http://127.0.0.1:8080"

    assert len(names(here, {})) == 5
    assert names(here, a_team_token(database, "shop")) == ["shop/a", "shop/b"]


OF_ONE = [
    "/api/v1/repository?ref={}",
    "/api/v1/tags?ref={}",
    "/api/v1/history?ref={}",
    "/api/v1/history?ref={}:1",
    "/api/v1/image?ref={}:1",
    "/api/v1/image?ref={}@sha256:" + "a" * 64,
    "/api/v1/compare?a={}:1&b=hub/shop/a:1",
    "/api/v1/compare?a=hub/shop/a:1&b={}:1",
    "/api/v1/compare?a=hub/shop/a:1&b=hub/shop/a:1&c={}:1",
    "/image.json?ref={}:1",
    "/image.csv?ref={}:1",
    "/image?ref={}:1",
    "/compare.json?a={}:1&b=hub/shop/a:1",
    "/compare.csv?a={}:1&b=hub/shop/a:1",
    "/compare?a={}:1&b=hub/shop/a:1",
    "/repository.json?ref={}",
    "/repository.csv?ref={}",
    "/repository?ref={}",
]
"""Addresses of what one repository has."""


@pytest.fixture
def with_images(asked: TestClient, database: Database) -> TestClient:
    """The same image in a repository of each team, and in one of nobody's."""
    image = an_image([a_layer("a", 1000)])
    for name in ("shop/a", "web/a", "nobody/a"):
        World(database, repository=name).crawl({"1": image})
    return asked


@pytest.mark.parametrize("path", OF_ONE)
def test_of_another_team_s_repository_it_is_said_that_it_is_not_known(
    with_images: TestClient, database: Database, path: str
) -> None:
    """Word for word as of one that nobody has, but for its name."""
    shop = a_team_token(database, "shop")
    everything = bearer(a_token(database, "admin", NOW))

    absent = with_images.get(path.format("hub/zzz/q"), headers=shop)
    for hidden in ("hub/web/a", "hub/nobody/a"):
        answer = with_images.get(path.format(hidden), headers=shop)

        assert answer.status_code == absent.status_code == 404, path
        name = hidden.removeprefix("hub/")
        assert answer.text.replace(name, "zzz/q") == absent.text
        known = with_images.get(path.format(hidden), headers=everything)
        assert known.status_code == 200 or "@" in path, known.text
    own = with_images.get(path.format("hub/shop/a"), headers=shop)
    assert own.status_code == 200 or "@" in path, own.text


@pytest.mark.parametrize("path", OF_ONE)
def test_the_nearest_names_are_of_repositories_that_are_seen(
    with_images: TestClient, database: Database, path: str
) -> None:
    shop = a_team_token(database, "shop")

    for wanted in ("hub/web/b", "hub/nobody/b", "else/web/a", "near/web/a"):
        answer = with_images.get(path.format(wanted), headers=shop)

        assert answer.status_code == 404
        assert "web/a" not in answer.text.replace(wanted, "").replace(
            wanted.partition("/")[2], ""
        )
        assert "nobody/a" not in answer.text
    near = with_images.get(path.format("hub/shop/aa"), headers=shop)
    assert "nearest: hub/shop/a" in near.text


def test_where_else_an_image_is_names_what_is_seen(database: Database) -> None:
    image = an_image([a_layer("a", 1000)])
    ids = {}
    for name in ("shop/a", "shop/b", "web/a"):
        world = World(database, repository=name)
        world.crawl({"1": image})
        ids[name] = world.repository_id
    with database.read() as connection:
        weighing = find_weighing(connection, "hub", "shop/a", tag="1", now=NOW)
        assert weighing is not None
        sight = Sight(frozenset({ids["shop/a"], ids["shop/b"]}), frozenset({"hub"}))
        everywhere = find_whereabouts(connection, weighing)
        seen = find_whereabouts(connection, weighing, sight)

    assert [each.repository for each in everywhere.holders] == ["shop/b", "web/a"]
    assert [each.repository for each in seen.holders] == ["shop/b"]
    assert (everywhere.repositories, seen.repositories) == (2, 1)


def test_pages_name_the_registries_that_are_seen(
    with_images: TestClient, database: Database
) -> None:
    everything = bearer(a_token(database, "admin", NOW))
    shop = a_team_token(database, "shop")

    for path in ("/repository?ref=hub/shop/a", "/image?ref=hub/shop/a:1", "/compare"):
        known = with_images.get(path, headers=everything)
        # Of one registry alone its name is there; of several that all are fresh.
        assert "all fresh" in parse(known.text).text, path
        seen = with_images.get(path, headers=shop)
        assert seen.status_code == 200, path
        assert "all fresh" not in parse(seen.text).text, path
        assert "web/a" not in seen.text, path


@pytest.mark.parametrize(
    "path", ["/api/v1/violations", "/violations.json", "/violations.csv"]
)
def test_violations_are_those_of_repositories_that_are_seen(
    database: Database, policies: Policies, path: str
) -> None:
    a_token(database, "read", NOW)
    made = Violations(database, NOW)
    for name in ("shop/a", "web/a"):
        world = World(database, repository=name)
        world.crawl({"1.5": an_image([a_layer("a", 1000)])})
        made.open(world.repository_id)
    asked = a_service_of_teams(database, policies)
    everything = bearer(a_token(database, "admin", NOW))
    shop = a_team_token(database, "shop")

    for query in ("", "?all_tags=true", "?state=all"):
        everyones = asked.get(path + query, headers=everything).text
        assert "shop/a" in everyones
        assert "web/a" in everyones
        own = asked.get(path + query, headers=shop)
        assert own.status_code == 200, own.text
        assert "shop/a" in own.text
        assert "web/a" not in own.text
    hidden = asked.get(f"{path}?repository=web/a", headers=shop)
    absent = asked.get(f"{path}?repository=zzz/q", headers=shop)
    assert hidden.status_code == absent.status_code == 404
    assert hidden.text.replace("web/a", "zzz/q") == absent.text


def test_the_first_page_lists_what_a_team_sees_without_totals(
    with_images: TestClient, database: Database
) -> None:
    everything = bearer(a_token(database, "admin", NOW))
    shop, nobody = a_team_token(database, "shop"), a_team_token(database)

    everyones = parse(with_images.get("/", headers=everything).text).text
    own = parse(with_images.get("/", headers=shop).text).text
    nothing = with_images.get("/", headers=nobody)

    for words in ("web/a", "nobody/a", "Stored in", "near"):
        assert words in everyones
        assert words not in own.replace("nearest", "")
        assert words not in parse(nothing.text).text.replace("nearest", "")
    assert "Repositories of shop" in own
    assert "shop/b" in own
    assert nothing.status_code == 200
    assert "no team has you among its members" in nothing.text
    assert "shop/" not in nothing.text.replace("e.g. shop/", "")


@pytest.mark.parametrize(
    "query",
    [
        "sort=name",
        "sort=tags&order=asc",
        "sort=exclusive",
        "q=a",
        "q=web",
        "violating=true",
        "violating=false",
        "registry=hub",
        "limit=1",
    ],
)
def test_no_filter_and_no_order_of_the_first_page_shows_others(
    with_images: TestClient, database: Database, query: str
) -> None:
    shop = a_team_token(database, "shop")

    for path in ("/", "/repositories.json", "/repositories.csv"):
        answer = with_images.get(f"{path}?{query}", headers=shop)

        assert answer.status_code == 200, answer.text
        shown = parse(answer.text).text if path == "/" else answer.text
        assert "web/a" not in shown
        assert "nobody/" not in shown
        assert "near" not in shown.replace("nearest", "")
    hidden = with_images.get("/?registry=near", headers=shop)
    assert hidden.status_code == 404
    assert hidden.text == with_images.get("/?registry=zzz", headers=shop).text
