"""`GET /api/v1/reclaim`: what deleting tags would free, and why nothing is said."""

import pytest
from starlette.testclient import TestClient

from support.html import parse
from support.images import a_layer, an_image, some_layers
from support.read_model import NOW
from support.store_world import World, a_result
from support.web_app import create_app
from weighbridge.domain.reclaim.keep_rules import KeepRules, ReclaimChoice
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions

pytestmark = pytest.mark.slow

APP = "/api/v1/reclaim?ref=hub/acme/app"
OLD = an_image(some_layers(700, 20))
NEW = an_image(some_layers(700, 90, 8, name="new"))


def bytes_of(*images: object) -> int:
    """All that images of no common blob store."""
    total = 0
    for image in (OLD, NEW):
        if image in images:
            manifest = image.manifest
            total += image.compressed_bytes + manifest.manifest_bytes
            total += manifest.config.content_bytes
    return total


@pytest.fixture
def crawled(world: World) -> World:
    world.crawl({"3.6": OLD, "3.6.4": OLD, "3.7": NEW})
    return world


def asked(world: World, path: str, choice: ReclaimChoice) -> dict[str, object]:
    options = WebOptions(reclaim=choice)
    app = create_app(world.database, Telemetry(), options, now=lambda: NOW)
    answer = TestClient(app, base_url="http://127.0.0.1:8080").get(path)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_tags_are_said_once_each_and_counted_together(
    crawled: World, client: TestClient
) -> None:
    answer = client.get(f"{APP}&tag=3.6&tag=3.6.4")

    assert answer.json() == {
        "freed_bytes": bytes_of(OLD),
        "manifests": [OLD.digest],
        "blobs": 4,
        "reason": None,
    }


def test_one_of_two_aliases_frees_nothing_and_the_answer_says_why(
    crawled: World, client: TestClient
) -> None:
    assert client.get(f"{APP}&tag=3.6").json() == {
        "freed_bytes": 0,
        "manifests": [],
        "blobs": 0,
        "reason": "3.6.4 names the same digest",
    }


def test_without_a_tag_the_rules_of_the_configuration_say_what_goes(
    crawled: World,
) -> None:
    rules = KeepRules(newest=None, days=None, patterns=("3.7",))

    found = asked(crawled, APP, ReclaimChoice(rules))

    assert found["freed_bytes"] == bytes_of(OLD)


def test_of_a_repository_that_was_not_seen_whole_there_is_no_number(
    world: World, client: TestClient
) -> None:
    result = a_result(complete=False, state="partial", reason="too_many_tags")
    world.crawl({"1": OLD}, result=result)

    assert client.get(f"{APP}&tag=1").json() == {
        "freed_bytes": None,
        "manifests": [],
        "blobs": None,
        "reason": "its last crawl did not see all of it (too_many_tags)",
    }


def test_of_a_registry_whose_tags_are_partly_left_out_there_is_no_number(
    crawled: World,
) -> None:
    choice = ReclaimChoice(in_part=frozenset({"hub"}))

    found = asked(crawled, f"{APP}&tag=3.7", choice)

    assert found["freed_bytes"] is None
    assert "excludes some" in str(found["reason"])


def test_an_unknown_tag_is_404_with_the_nearest(
    crawled: World, client: TestClient
) -> None:
    answer = client.get(f"{APP}&tag=3.7&tag=3.6.5")

    assert answer.status_code == 404
    assert answer.json()["error"] == {
        "code": "tag_not_found",
        "message": "there is no tag 3.6.5 in hub/acme/app; nearest: 3.6.4, 3.6, 3.7",
        "detail": {"nearest": ["3.6.4", "3.6", "3.7"]},
    }


@pytest.mark.parametrize(
    ("ref", "nearest"),
    [("hub/acme/ap", ["hub/acme/app"]), ("hob/acme/app", ["hub/acme/app"])],
)
def test_an_unknown_repository_is_404_with_the_nearest(
    crawled: World, client: TestClient, ref: str, nearest: list[str]
) -> None:
    answer = client.get(f"/api/v1/reclaim?ref={ref}")

    assert answer.status_code == 404
    error = answer.json()["error"]
    assert error["code"] == "repository_not_found"
    assert error["detail"] == {"nearest": nearest}


def test_a_tag_that_was_deleted_is_not_known_any_more(
    crawled: World, client: TestClient
) -> None:
    crawled.crawl(deleted=["3.6"])

    assert client.get(f"{APP}&tag=3.6").status_code == 404
    assert client.get(f"{APP}&tag=3.6.4").json()["freed_bytes"] == bytes_of(OLD)


@pytest.mark.parametrize(
    "query",
    ["&tag=", "&tag=a:b", f"&tag={'a' * 129}", "&tag=%0a", "&ref=hub/other", "&tags=a"],
)
def test_what_is_no_tag_is_refused(
    crawled: World, client: TestClient, query: str
) -> None:
    assert client.get(f"{APP}{query}").status_code == 400


def test_more_tags_than_a_list_may_hold_are_refused(
    crawled: World, client: TestClient
) -> None:
    tags = "".join(f"&tag=t{n}" for n in range(1_001))

    assert client.get(f"{APP}{tags}").status_code == 400


def test_a_neighbour_that_was_pushed_since_keeps_its_blobs(
    crawled: World, client: TestClient
) -> None:
    beside = World(crawled.database, repository="acme/beside")
    beside.crawl({"1": an_image([*some_layers(700), *[a_layer("own", 1)] * 4])})

    freed = client.get(f"{APP}&tag=3.6&tag=3.6.4").json()["freed_bytes"]

    assert freed == bytes_of(OLD) - 700


def test_the_page_of_a_repository_says_what_the_rules_would_free(
    crawled: World,
) -> None:
    rules = KeepRules(newest=None, days=None, patterns=("3.7",))
    options = WebOptions(reclaim=ReclaimChoice(rules))
    app = create_app(crawled.database, Telemetry(), options, now=lambda: NOW)
    client = TestClient(app, base_url="http://127.0.0.1:8080")

    page = parse(client.get("/repository?ref=hub/acme/app").text)

    found = {
        name.text: number
        for facts in page.all("dl", "facts")
        for name, number in zip(facts.all("dt"), facts.all("dd"), strict=True)
    }
    assert found["Of that, kept by no rule"].amounts() == [bytes_of(OLD)]
