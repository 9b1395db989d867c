"""What a push looks like, sender by sender."""

from collections.abc import Mapping
from typing import Final

import pytest

from support.webhook_bodies import (
    AT,
    DIGEST,
    GITHUB,
    NEXUS,
    TIME,
    ZOT,
    component_of,
    docker_of,
    event_of,
    eventbridge,
    package_of,
    pubsub,
    resource_of,
    told,
)
from weighbridge.domain.webhook.webhook_source import ParsedDelivery, PushSeen

PUSHES: Final[Mapping[str, tuple[ParsedDelivery, PushSeen]]] = {
    "distribution": (
        told("distribution", {"events": [event_of(tag="1.4", digest=DIGEST)]}),
        PushSeen("shop/api", "1.4", DIGEST, False, AT, "e-1"),
    ),
    "gitlab": (
        told("gitlab", {"events": [event_of(tag="1.4", digest=DIGEST)]}),
        PushSeen("shop/api", "1.4", DIGEST, False, AT, "e-1"),
    ),
    "acr": (
        told("acr", event_of(tag="1.4", digest=DIGEST)),
        PushSeen("shop/api", "1.4", DIGEST, False, AT, "e-1"),
    ),
    "event grid": (
        told(
            "acr",
            [
                {
                    "id": "g-1",
                    "eventType": "Microsoft.ContainerRegistry.ImagePushed",
                    "data": event_of(tag="1.4", digest=DIGEST),
                }
            ],
        ),
        PushSeen("shop/api", "1.4", DIGEST, False, AT, "g-1"),
    ),
    "harbor": (
        told("harbor", resource_of("PUSH_ARTIFACT", "1.4")),
        PushSeen(
            "shop/api",
            "1.4",
            DIGEST,
            False,
            AT,
            f"PUSH_ARTIFACT 1767323045 shop/api 1.4 {DIGEST}",
        ),
    ),
    "harbor's cloud event": (
        told(
            "harbor",
            {
                "specversion": "1.0",
                "id": "c-1",
                "type": "harbor.artifact.pushed",
                "time": TIME,
                "data": resource_of("", "1.4")["event_data"],
            },
        ),
        PushSeen("shop/api", "1.4", DIGEST, False, AT, f"c-1 shop/api 1.4 {DIGEST}"),
    ),
    "dockerhub": (
        told(
            "dockerhub",
            {
                "callback_url": "http://127.0.0.1:1/x",
                "push_data": {"pushed_at": 1767323045, "tag": "1.4"},
                "repository": {"repo_name": "shop/api"},
            },
        ),
        PushSeen("shop/api", "1.4", None, False, AT, "shop/api 1.4 1767323045"),
    ),
    "quay": (
        told("quay", {"repository": "shop/api", "updated_tags": ["1.4"]}),
        PushSeen("shop/api", "1.4", None, False, None, ""),
    ),
    "ghcr": (
        told("ghcr", package_of("1.4"), GITHUB),
        PushSeen("shop/api", "1.4", DIGEST, False, AT, "d-1"),
    ),
    "ecr": (
        told("ecr", eventbridge()),
        PushSeen("shop/api", "1.4", DIGEST, False, AT, "b-1"),
    ),
    "google": (
        told("google", pubsub()),
        PushSeen("p/r/api", "1.4", DIGEST, False, AT, "m-1"),
    ),
    "artifactory": (
        told("artifactory", docker_of()),
        PushSeen("docker-local/shop/api", "1.4", DIGEST, False, None, ""),
    ),
    "nexus": (
        told("nexus", component_of(), NEXUS),
        PushSeen("shop/api", "1.4", None, False, AT, "d-1"),
    ),
    "nexus' asset": (
        told(
            "nexus",
            {
                "timestamp": TIME,
                "action": "UPDATED",
                "asset": {"format": "docker", "name": "/v2/shop/api/manifests/1.4"},
            },
            NEXUS,
        ),
        PushSeen("shop/api", "1.4", None, False, AT, "d-1"),
    ),
    "zot": (
        told("zot", {"name": "shop/api", "reference": "1.4", "digest": DIGEST}, ZOT),
        PushSeen("shop/api", "1.4", DIGEST, False, AT, "c-1"),
    ),
}


@pytest.mark.parametrize("sender", PUSHES)
def test_a_push_of_a_tag_is_read(sender: str) -> None:
    found, expected = PUSHES[sender]

    assert found == ParsedDelivery(pushes=(expected,))


DELETES: Final[Mapping[str, ParsedDelivery]] = {
    "distribution": told("distribution", {"events": [event_of("delete", tag="1.4")]}),
    "acr": told("acr", event_of("delete", tag="1.4")),
    "harbor": told("harbor", resource_of("DELETE_ARTIFACT", "1.4")),
    "ecr": told("ecr", eventbridge(**{"action-type": "DELETE"})),
    "google": told("google", pubsub(action="DELETE")),
    "artifactory": told("artifactory", docker_of("deleted")),
    "nexus": told("nexus", component_of("DELETED"), NEXUS),
    "zot": told(
        "zot",
        {"name": "shop/api", "reference": "1.4"},
        {**ZOT, "ce-type": "zotregistry.image.deleted"},
    ),
}


@pytest.mark.parametrize("sender", DELETES)
def test_a_tag_that_is_said_to_be_gone_is_read(sender: str) -> None:
    (push,) = DELETES[sender].pushes

    assert (push.tag, push.is_delete) == ("1.4", True)


def test_a_manifest_that_is_gone_may_have_had_several_tags() -> None:
    found = told("distribution", {"events": [event_of("delete", digest=DIGEST)]})

    assert found.pushes == (PushSeen("shop/api", None, DIGEST, True, AT, "e-1"),)


def test_an_event_that_is_malformed_does_not_spoil_those_beside_it() -> None:
    events = [event_of(tag="1"), "no event", event_of("pull"), event_of(tag="2")]

    found = told("distribution", {"events": events})

    assert [push.tag for push in found.pushes] == ["1", "2"]
    assert found.useless == ("malformed", "not_a_push")


def test_every_tag_of_quay_is_a_push() -> None:
    tags = ["1", "no tag", None, "2"]

    found = told("quay", {"repository": "shop/api", "updated_tags": tags})

    assert [push.tag for push in found.pushes] == ["1", "2"]
    assert found.useless == ("malformed", "not_a_push")


def test_event_grid_gets_its_code_back_and_no_push_is_read() -> None:
    question = {
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": {
            "validationCode": "code-1",
            "validationUrl": "http://169.254.169.254/",
        },
    }

    assert told("acr", [question]) == ParsedDelivery(
        reply={"validationResponse": "code-1"}
    )
    assert told("harbor", [question]).reply is None


def test_two_events_of_one_body_of_harbor_are_two() -> None:
    body = resource_of("PUSH_ARTIFACT", "1")
    data = body["event_data"]
    assert isinstance(data, dict)
    data["resources"] = [{"digest": DIGEST, "tag": tag} for tag in ("1", "2")]

    events = {push.event for push in told("harbor", body).pushes}

    assert len(events) == 2


@pytest.mark.parametrize(
    "address",
    ["ghcr.io/Shop/Api:1.4", f"ghcr.io/shop/api@{DIGEST}", "ghcr.io/SHOP/api:"],
)
def test_github_names_the_repository_as_its_owner_writes_it(address: str) -> None:
    (push,) = told("ghcr", package_of("1.4", package_url=address), GITHUB).pushes

    assert push.repository == "shop/api"


@pytest.mark.parametrize(
    ("host", "repository"),
    [
        ("acme.jfrog.io", "docker-local/shop/api"),
        ("acme-docker-local.jfrog.io", "shop/api"),
        ("docker-local.artifactory.example", "shop/api"),
    ],
)
def test_artifactory_has_its_repository_in_the_host_or_in_the_path(
    host: str, repository: str
) -> None:
    (push,) = told("artifactory", docker_of(), host=host).pushes

    assert push.repository == repository


def test_artifactory_below_the_path_of_a_repository_tells_of_that_alone() -> None:
    api = "/artifactory/api/docker"
    own = told("artifactory", docker_of(), prefix=f"{api}/docker-local")
    other = told("artifactory", docker_of(), prefix=f"{api}/docker-other")

    assert [push.repository for push in own.pushes] == ["shop/api"]
    assert (other.pushes, other.useless) == ((), ("unknown_registry",))


def test_an_older_artifactory_sends_no_envelope() -> None:
    data = docker_of()["data"]
    assert isinstance(data, dict)

    found = told("artifactory", {**data, "event_type": "pushed"})

    assert found == PUSHES["artifactory"][0]


def test_ecr_of_this_account_and_region_is_read() -> None:
    host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"

    assert told("ecr", eventbridge(), host=host).pushes


def test_a_digest_that_is_none_is_left_out() -> None:
    (push,) = told("ecr", eventbridge(**{"image-digest": "sha256:12"})).pushes

    assert push.digest is None


@pytest.mark.parametrize(
    "time",
    ["0001-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "2026-W01-1T00:00:00Z", "soon", 7],
)
def test_a_time_that_cannot_be_is_left_out(time: object) -> None:
    event = {**event_of(tag="1.4"), "timestamp": time}

    (push,) = told("distribution", {"events": [event]}).pushes

    assert push.pushed_at is None


@pytest.mark.parametrize("seconds", [-1, 10**30, 1.0e300, True, "1767323045", None])
def test_seconds_that_cannot_be_are_left_out(seconds: object) -> None:
    body = {**resource_of("PUSH_ARTIFACT", "1.4"), "occur_at": seconds}

    (push,) = told("harbor", body).pushes

    assert push.pushed_at is None


def test_a_time_of_nanoseconds_and_an_offset_is_read() -> None:
    event = {**event_of(tag="1.4"), "timestamp": "2026-01-02T04:04:05.123456789+01:00"}

    (push,) = told("distribution", {"events": [event]}).pushes

    assert push.pushed_at == AT.replace(microsecond=123456)
