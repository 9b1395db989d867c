"""`GET /api/v1/storage`: what a repository, tags of it, or a project stores."""

import pytest
from starlette.testclient import TestClient

from support.images import a_layer, an_artifact_of, an_image
from support.store_world import World

pytestmark = pytest.mark.slow

BASE = a_layer("base", 1000)
ONE = an_image([BASE, a_layer("one", 10)])
TWO = an_image([BASE, a_layer("two", 20), a_layer("more", 3)])


@pytest.fixture
def crawled(world: World) -> World:
    chart = an_artifact_of(a_layer("chart", 70), artifact_type="a/chart")
    world.crawl({"1": ONE, "2": TWO, "chart": chart})
    return world


def test_a_repository_is_split_by_class(crawled: World, client: TestClient) -> None:
    found = client.get("/api/v1/storage?ref=hub/acme/app").json()

    assert found["stored_bytes"] == crawled.report().deduplicated_bytes
    assert (found["exclusive_bytes"], found["shared_bytes"]) == (
        found["stored_bytes"],
        0,
    )
    assert found["classes"]["artifacts"] == {
        "stored_bytes": 572,
        "exclusive_bytes": 572,
        "shared_bytes": 0,
    }
    assert (found["repositories"], found["manifests"], found["reason"]) == (1, 3, None)


def test_of_a_tag_it_is_said_what_others_of_its_repository_share(
    crawled: World, client: TestClient
) -> None:
    found = client.get("/api/v1/storage?ref=hub/acme/app&tag=1").json()

    assert found["shared_bytes"] == 1000
    freed = client.get("/api/v1/reclaim?ref=hub/acme/app&tag=1").json()
    assert found["exclusive_bytes"] == freed["freed_bytes"]


def test_a_project_is_counted_as_a_whole(crawled: World, client: TestClient) -> None:
    World(crawled.database, repository="acme/other").crawl({"1": ONE})
    path = "/api/v1/storage/project?registry=hub&project=acme"

    found = client.get(path).json()

    assert (found["repositories"], found["shared_bytes"]) == (2, 0)
    assert found["stored_bytes"] == crawled.report().deduplicated_bytes


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?ref=hub/acme/app&tag=3", "tag_not_found"),
        ("?ref=hub/acme/ap", "repository_not_found"),
        ("/project?registry=hub&project=acm", "repository_not_found"),
        ("/project?registry=hob", "registry_not_found"),
    ],
)
def test_what_is_not_known_is_404(
    crawled: World, client: TestClient, query: str, code: str
) -> None:
    answer = client.get(f"/api/v1/storage{query}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)


@pytest.mark.parametrize("project", ["A", "a//b", "%2e%2f", "a" * 256])
def test_what_is_no_path_is_refused(
    crawled: World, client: TestClient, project: str
) -> None:
    path = f"/api/v1/storage/project?registry=hub&project={project}"

    assert client.get(path).status_code == 400
