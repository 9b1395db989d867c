"""What a token of teams sees of storage, reclaim, disputes and pulls, and what `team`
leaves of their lists."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from support.database import Engine, a_database
from support.disputed_sizes import claim_wrongly
from support.images import a_layer, an_image
from support.read_model import NOW
from support.store_world import World
from support.teams import a_service_of_teams, team_policies
from support.tokens import a_token, bearer
from weighbridge.domain.traffic.pulls import PullCount
from weighbridge.store.paging import write_cursor
from weighbridge.store.session import Database
from weighbridge.store.traffic.pull_counts import note_pulls

POLICIES = team_policies({"shop/*": "shop", "web/*": "web"})
PULLS = {"shop/a": 100, "web/a": 500, "shop/b": 300}


@pytest.fixture
def database(tmp_path: Path, engine: Engine) -> Iterator[Database]:
    with a_database(tmp_path, engine) as opened:
        yield opened


@pytest.fixture
def shop(database: Database) -> dict[str, str]:
    return bearer(a_token(database, "read", NOW, teams=frozenset({"shop"})))


@pytest.fixture
def everything(database: Database) -> dict[str, str]:
    return bearer(a_token(database, "admin", NOW))


@pytest.fixture
def ids(database: Database) -> dict[str, int]:
    """Each has an image whose size is claimed wrongly, and a number of pulls."""
    found = {}
    for name in PULLS:
        world = World(database, repository=name)
        world.crawl({"1": an_image([a_layer(name, 1000)])})
        found[name] = world.repository_id
        claim_wrongly(world, NOW)
        with database.write() as connection:
            pulls = {name: PullCount(PULLS[name])}
            note_pulls(connection, world.registry_id, pulls, NOW - timedelta(days=1))
    return found


@pytest.fixture
def asked(
    database: Database,
    ids: dict[str, int],
    shop: dict[str, str],
    everything: dict[str, str],
) -> TestClient:
    return a_service_of_teams(database, lambda: POLICIES)


def rows(client: TestClient, path: str, headers: dict[str, str]) -> list[str]:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return [row["repository"] for row in answer.json()["items"]]


def test_disputes_are_of_what_is_seen(
    asked: TestClient, shop: dict[str, str], everything: dict[str, str]
) -> None:
    path = "/api/v1/disputes"

    assert rows(asked, path, everything) == ["shop/b", "web/a", "shop/a"]
    assert rows(asked, path, shop) == ["shop/b", "shop/a"]
    assert rows(asked, f"{path}?team=web", everything) == ["web/a"]
    assert rows(asked, f"{path}?team=web", shop) == []
    hidden = asked.get(f"{path}?repository=web/a", headers=shop)
    absent = asked.get(f"{path}?repository=web/z", headers=shop)
    assert (hidden.status_code, absent.status_code) == (404, 404)


def test_pulls_are_of_what_is_seen(
    asked: TestClient, shop: dict[str, str], everything: dict[str, str]
) -> None:
    path = "/api/v1/traffic"

    assert rows(asked, path, everything) == ["web/a", "shop/b", "shop/a"]
    assert rows(asked, path, shop) == ["shop/b", "shop/a"]
    assert rows(asked, f"{path}?team=web", everything) == ["web/a"]
    assert rows(asked, f"{path}?team=web", shop) == []


def test_no_cursor_that_is_made_up_tells_how_much_is_pulled_of_others(
    asked: TestClient, shop: dict[str, str], ids: dict[str, int]
) -> None:
    """It would go on behind a repository by the number of its pulls."""
    own, hidden, absent = ids["shop/b"], ids["web/a"], 987_654
    month = f"{NOW:%Y-%m}"

    def behind(number: int) -> list[str]:
        cursor = write_cursor("traffic", month, None, number)
        return rows(asked, f"/api/v1/traffic?cursor={cursor}", shop)

    assert behind(own) == ["shop/a"]
    assert behind(hidden) == behind(absent) == []


@pytest.mark.parametrize("path", ["/api/v1/storage", "/api/v1/reclaim"])
def test_storage_and_reclaim_of_another_team_are_of_what_never_was(
    asked: TestClient, shop: dict[str, str], everything: dict[str, str], path: str
) -> None:
    def answer(name: str, headers: dict[str, str], tag: str = "1") -> tuple[int, str]:
        query = {"ref": f"hub/{name}", "tag": tag}
        got = asked.get(path, params=query, headers=headers)
        return got.status_code, got.text.replace(name, "NAME")

    assert answer("shop/a", shop) == answer("shop/a", everything)
    assert answer("shop/a", shop)[0] == 200
    assert answer("web/a", everything)[0] == 200
    assert answer("web/a", shop) == answer("web/z", shop)
    assert answer("web/a", shop)[0] == 404
    assert answer("shop/a", shop, "none")[0] == 404
