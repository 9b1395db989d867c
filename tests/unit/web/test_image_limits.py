"""`GET /api/v1/limits`: what a gate in CI asks before it lets an image pass."""

from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from support.images import an_image, an_index_of, some_layers
from support.policies import a_policy
from support.read_model import ARM, NOW
from support.store_world import World
from support.web_app import create_app
from weighbridge.domain.check.image_check import parse_service_limits
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.policy.policy import LimitKey, Match, PolicySet
from weighbridge.domain.policy.waiver import NewWaiver
from weighbridge.store.registries.registry_rows import find_registry_id, note_discovery
from weighbridge.store.session import Database
from weighbridge.store.violations.waivers import put_waiver
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions

POLICIES = PolicySet(
    [
        a_policy("dev", Match(tag="*-dev"), max_compressed=900_000_000),
        a_policy("all", team="shop", max_compressed=500_000_000, max_growth=0.1),
    ]
)


@pytest.fixture
def client(database: Database) -> TestClient:
    options = WebOptions(policies=lambda: POLICIES)
    app = create_app(database, Telemetry(), options, now=lambda: NOW)
    return TestClient(app, base_url="http://127.0.0.1:8080")


def items(client: TestClient, ref: str) -> dict[str, tuple[object, object]]:
    answer = client.get("/api/v1/limits", params={"ref": ref})
    assert answer.status_code == 200, answer.text
    found = answer.json()["items"]
    return {item["key"]: (item["value"], item["policy"]) for item in found}


def push(world: World, tag: str, size: int) -> Digest:
    image = an_image(some_layers(size, name=f"{tag} {size}"))
    world.keep(image)
    world.crawl({tag: image}, pushed_at=world.now)
    return image.digest


def waive(database: Database, limit: LimitKey | None, tag: str = "*") -> None:
    expires_at = NOW + timedelta(days=3)
    with database.write() as connection:
        put_waiver(
            connection,
            NewWaiver("hub", "acme/*", tag, limit, "why", "cli:me", expires_at),
            NOW,
        )


@pytest.mark.parametrize(
    "ref",
    [
        "hub/acme/app:1",
        "hub/acme/new:1",
        "hub.example/acme/app:1",
        "hub.example/acme/new@sha256:" + 64 * "a",
    ],
)
def test_a_registry_may_be_called_by_its_address_and_an_image_may_be_new(
    world: World, client: TestClient, ref: str
) -> None:
    found = items(client, ref)

    assert found["max_compressed"] == (500_000_000, "all")
    assert found["max_growth"] == (0.1, "all")
    assert found["max_layers"] == (None, None)


def test_the_tag_decides_which_policies_match(world: World, client: TestClient) -> None:
    found = items(client, "hub/acme/app:1.4-dev")

    assert found["max_compressed"] == (900_000_000, "dev")
    assert found["max_growth"] == (0.1, "all")


def test_a_registry_that_is_not_known_has_no_limits(
    world: World, client: TestClient
) -> None:
    answer = client.get("/api/v1/limits?ref=ghcr.io/acme/app:1")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "registry_not_found"


def test_the_images_before_it_are_those_of_its_stream_the_latest_first(
    world: World, client: TestClient
) -> None:
    sizes = {"1.0": 100, "1.1": 110, "1.1-slim": 40, "1.2": 120}
    digests = {tag: push(world, tag, size) for tag, size in sizes.items()}

    raw = client.get("/api/v1/limits?ref=hub/acme/app:1.3").content

    earlier = parse_service_limits(raw).earlier.images["linux/amd64"]
    assert [each.digest for each in earlier] == [
        digests["1.2"],
        digests["1.1"],
        digests["1.0"],
    ]
    assert [each.compressed_bytes for each in earlier] == [120, 110, 100]


def test_an_image_under_two_tags_is_there_once(
    world: World, client: TestClient
) -> None:
    digest = push(world, "1.0", 100)
    world.crawl({"1.1": digest}, pushed_at=world.now)

    images = client.get("/api/v1/limits?ref=hub/acme/app:1.2").json()["images"]

    assert [image["digest"] for image in images] == [digest]


def test_a_gate_learns_whether_there_may_be_images_that_are_not_known(
    world: World, client: TestClient, database: Database
) -> None:
    push(world, "1.0", 100)

    def known(ref: str) -> object:
        answer = client.get("/api/v1/limits", params={"ref": ref}).json()
        assert answer["platforms"] == ["linux/amd64"]
        return answer["images_known"]

    assert known("hub/acme/app:1.1") is True
    assert known("hub/acme/new:1.1") is False
    with database.write() as connection:
        registry_id = find_registry_id(connection, "hub")
        assert registry_id is not None
        note_discovery(connection, registry_id, complete=True, now=NOW)
    assert known("hub/acme/new:1.1") is True


def test_images_before_it_are_of_configured_platforms_only(
    world: World, client: TestClient
) -> None:
    heavy = an_image(some_layers(100, name="amd64"))
    light = an_image(some_layers(50, name="arm64"), platform=ARM)
    both = an_index_of(heavy, light)
    world.keep(both, heavy, light)
    world.crawl({"1.0": both}, pushed_at=world.now)

    images = client.get("/api/v1/limits?ref=hub/acme/app:1.1").json()["images"]

    assert [image["platform"] for image in images] == ["linux/amd64"]


def test_a_waiver_says_until_when(
    world: World, database: Database, client: TestClient
) -> None:
    waive(database, "max_compressed", tag="1.*")

    raw = client.get("/api/v1/limits?ref=hub/acme/app:1.3").content
    other = client.get("/api/v1/limits?ref=hub/acme/app:2.0").content

    until = NOW + timedelta(days=3)
    assert parse_service_limits(raw).waived == {"max_compressed": until}
    assert parse_service_limits(other).waived == {}


def test_a_waiver_of_every_limit_waives_those_that_are_set(
    world: World, database: Database, client: TestClient
) -> None:
    waive(database, None)

    raw = client.get("/api/v1/limits?ref=hub/acme/app:1.3").content

    assert parse_service_limits(raw).waived.keys() == {"max_compressed", "max_growth"}


def test_a_reference_is_read_strictly(client: TestClient) -> None:
    assert client.get("/api/v1/limits?ref=hub//x").status_code == 400
    assert client.get("/api/v1/limits").status_code == 400
