"""What each sender's body tells: bodies written by hand, as their senders document."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import pytest

from weighbridge.domain.digest import Digest
from weighbridge.domain.push import PushSeen, Source
from weighbridge.domain.webhooks import Reason, Told, read_body

DIGEST: Final = Digest("sha256:" + "a" * 64)
AT: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TIME: Final = "2026-01-02T03:04:05Z"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
GITHUB: Final = {"x-github-event": "registry_package", "x-github-delivery": "d-1"}
NEXUS: Final = {"x-nexus-webhook-delivery": "d-1"}
ZOT: Final = {
    "ce-type": "zotregistry.image.updated",
    "ce-id": "c-1",
    "ce-time": TIME,
}


def told(
    source: Source,
    body: object,
    headers: Mapping[str, str] | None = None,
    host: str = "",
) -> Told:
    return read_body(source, json.dumps(body).encode(), headers or {}, host)


def event_of(action: str = "push", **target: object) -> dict[str, object]:
    """One event of a distribution."""
    named = {"mediaType": MANIFEST, "repository": "shop/api", **target}
    return {"id": "e-1", "timestamp": TIME, "action": action, "target": named}


def resource_of(kind: str, tag: str) -> dict[str, object]:
    """A body of Harbor in its default format."""
    return {
        "type": kind,
        "occur_at": 1767323045,
        "event_data": {
            "resources": [{"digest": DIGEST, "tag": tag}],
            "repository": {"repo_full_name": "shop/api"},
        },
    }


def pubsub(host: str = "eu-docker.pkg.dev", **event: object) -> dict[str, object]:
    inner = {
        "action": "INSERT",
        "digest": f"{host}/p/r/api@{DIGEST}",
        "tag": f"{host}/p/r/api:1.4",
        **event,
    }
    data = {name: value for name, value in inner.items() if value}
    encoded = base64.b64encode(json.dumps(data).encode()).decode()
    return {"message": {"data": encoded, "messageId": "m-1", "publishTime": TIME}}


def package_of(tag: str, **package: object) -> dict[str, object]:
    """A body of GitHub."""
    return {
        "action": "published",
        "registry_package": {
            "name": "Api",
            "owner": {"login": "Shop"},
            "package_version": {
                "updated_at": TIME,
                "container_metadata": {"tag": {"name": tag, "digest": DIGEST}},
            },
            **package,
        },
    }


def eventbridge(**detail: object) -> dict[str, object]:
    return {
        "id": "b-1",
        "source": "aws.ecr",
        "detail-type": "ECR Image Action",
        "account": "123456789012",
        "region": "eu-west-1",
        "time": TIME,
        "detail": {
            "result": "SUCCESS",
            "action-type": "PUSH",
            "repository-name": "shop/api",
            "image-digest": DIGEST,
            "image-tag": "1.4",
            **detail,
        },
    }


def docker_of(kind: str = "pushed", **data: object) -> dict[str, object]:
    """A body of Artifactory."""
    inner = {
        "repo_key": "docker-local",
        "image_name": "shop/api",
        "tag": "1.4",
        "sha256": "a" * 64,
        **data,
    }
    return {"domain": "docker", "event_type": kind, "data": inner}


def component_of(action: str = "CREATED", **component: object) -> dict[str, object]:
    """A body of Nexus."""
    named = {"format": "docker", "name": "shop/api", "version": "1.4", **component}
    return {"timestamp": TIME, "action": action, "component": named}


PUSHES: Final[Mapping[str, tuple[Told, PushSeen]]] = {
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

    assert found == Told(pushes=(expected,))


GRID_SCAN: Final = [{"eventType": "Microsoft.ContainerRegistry.ChartPushed"}]
NO_PUSHES: Final[Mapping[str, tuple[Told, Reason]]] = {
    "a pull": (
        told("distribution", {"events": [event_of("pull", tag="1")]}),
        "not_a_push",
    ),
    "a blob": (
        told(
            "distribution",
            {"events": [event_of(mediaType="application/octet-stream", tag="1")]},
        ),
        "not_a_push",
    ),
    "a push by digest": (
        told("distribution", {"events": [event_of(digest=DIGEST)]}),
        "not_a_push",
    ),
    "no events": (told("distribution", {"events": []}), "not_a_push"),
    "no list of events": (told("distribution", {"events": {}}), "malformed"),
    "another list": (told("acr", GRID_SCAN), "not_a_push"),
    "azure's test": (told("acr", {"action": "ping"}), "not_a_push"),
    "harbor's pull": (told("harbor", resource_of("PULL_ARTIFACT", "1")), "not_a_push"),
    "harbor's untagged artifact": (
        told("harbor", resource_of("PUSH_ARTIFACT", DIGEST)),
        "not_a_push",
    ),
    "quay's scan": (
        told("quay", {"repository": "shop/api", "vulnerability": {}}),
        "not_a_push",
    ),
    "quay without a repository": (told("quay", {"updated_tags": ["1"]}), "malformed"),
    "github's ping": (
        told("ghcr", {"zen": "x"}, {"x-github-event": "ping"}),
        "not_a_push",
    ),
    "a child of an index": (told("ghcr", package_of(""), GITHUB), "not_a_push"),
    "a package that is no image": (
        told(
            "ghcr",
            {"action": "published", "registry_package": {"package_version": {}}},
            GITHUB,
        ),
        "not_a_push",
    ),
    "a failed push": (told("ecr", eventbridge(result="FAILURE")), "not_a_push"),
    "another event of ecr": (
        told("ecr", {**eventbridge(), "detail-type": "ECR Image Scan"}),
        "not_a_push",
    ),
    "another service": (told("ecr", {"source": "aws.ec2"}), "not_a_push"),
    "another account": (
        told(
            "ecr",
            eventbridge(),
            host="999999999999.dkr.ecr.eu-west-1.amazonaws.com",
        ),
        "unknown_registry",
    ),
    "another region": (
        told("ecr", eventbridge(), host="123456789012.dkr.ecr.eu-west-2.amazonaws.com"),
        "unknown_registry",
    ),
    "another host of google": (
        told("google", pubsub(host="gcr.io"), host="eu-docker.pkg.dev"),
        "unknown_registry",
    ),
    "google without a tag": (told("google", pubsub(tag="")), "not_a_push"),
    "google's data that is no base64": (
        told("google", {"message": {"data": "%"}}),
        "malformed",
    ),
    "another domain": (told("artifactory", {"domain": "artifact"}), "not_a_push"),
    "artifactory's child": (
        told("artifactory", docker_of(tag="sha256:" + "b" * 64)),
        "not_a_push",
    ),
    "nexus purges": (told("nexus", component_of("PURGED"), NEXUS), "not_a_push"),
    "a component that is no image": (
        told("nexus", component_of(format="maven2"), NEXUS),
        "not_a_push",
    ),
    "nexus' layer": (
        told(
            "nexus",
            {
                "action": "CREATED",
                "asset": {"format": "docker", "name": f"/v2/-/blobs/{DIGEST}"},
            },
            NEXUS,
        ),
        "not_a_push",
    ),
    "zot's lint": (
        told("zot", {"name": "a"}, {"ce-type": "zotregistry.image.lint_failed"}),
        "not_a_push",
    ),
    "a name that is none": (
        told("distribution", {"events": [event_of(repository="../etc", tag="1")]}),
        "malformed",
    ),
    "a tag that is none": (
        told("distribution", {"events": [event_of(tag="a b")]}),
        "malformed",
    ),
    "a list in place of an object": (told("zot", [], ZOT), "malformed"),
    "a text in place of an object": (told("dockerhub", "push"), "malformed"),
    "a name twice": (read_body("zot", b'{"name":"a","name":"b"}', ZOT), "malformed"),
    "half a body": (read_body("distribution", b'{"events":[', {}), "malformed"),
    "nothing": (read_body("harbor", b"", {}), "malformed"),
}


@pytest.mark.parametrize("case", NO_PUSHES)
def test_what_is_no_push_is_told_with_its_reason(case: str) -> None:
    found, reason = NO_PUSHES[case]

    assert found == Told(useless=(reason,))


DELETES: Final[Mapping[str, Told]] = {
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

    assert told("acr", [question]) == Told(reply={"validationResponse": "code-1"})
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
