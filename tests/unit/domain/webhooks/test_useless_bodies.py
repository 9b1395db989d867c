"""What is no push: pulls, layers, manifests without a tag, and nonsense."""

from collections.abc import Mapping
from typing import Final

import pytest

from support.webhook_bodies import (
    DIGEST,
    GITHUB,
    NEXUS,
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
from weighbridge.domain.webhook.sources.source_table import read_body
from weighbridge.domain.webhook.webhook_source import ParsedDelivery, Reason

GRID_SCAN: Final = [{"eventType": "Microsoft.ContainerRegistry.ChartPushed"}]
NO_PUSHES: Final[Mapping[str, tuple[ParsedDelivery, Reason]]] = {
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

    assert found == ParsedDelivery(useless=(reason,))
