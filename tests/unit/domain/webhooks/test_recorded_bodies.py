"""Bodies as their senders' documentation and source have them."""

import json
from collections.abc import Mapping
from typing import Final

import pytest

from support.shared import shared_path
from weighbridge.domain.webhook.parsed_delivery import ParsedDelivery
from weighbridge.domain.webhook.push import Source
from weighbridge.domain.webhook.sources.source_table import read_body

NEXUS: Final = "nexus/webhook_headers.json"
ZOT: Final = "zot/event_headers.json"
GITHUB: Final = {"x-github-delivery": "d"}


def told(
    source: Source, name: str, headers: Mapping[str, str] | None = None, host: str = ""
) -> ParsedDelivery:
    body = shared_path(f"samples/{name}").read_bytes()
    return read_body(source, body, headers or {}, host)


def headers_of(name: str) -> dict[str, str]:
    text = shared_path(f"samples/{name}").read_text(encoding="utf-8")
    return {field.lower(): value for field, value in json.loads(text).items()}


@pytest.mark.parametrize(
    ("source", "name", "repository", "tag"),
    [
        (
            "distribution",
            "distribution/notification_push_manifest_with_references_synthetic.json",
            "team/api",
            "1.2.3",
        ),
        (
            "harbor",
            "harbor/webhook_default_push_artifact.json",
            "library/busybox",
            "v1.2.3",
        ),
        (
            "harbor",
            "harbor/webhook_cloudevents_push_artifact.json",
            "library/busybox",
            "v1.2.3",
        ),
        ("dockerhub", "dockerhub/webhook_push.json", "svendowideit/testhook", "latest"),
        ("ecr", "ecr/eventbridge_push.json", "my-repository-name", "latest"),
        ("acr", "acr/webhook_push.json", "hello-world", "v1"),
        ("acr", "acr/eventgrid_image_pushed.json", "hello-world", "v1"),
        (
            "google",
            "google/pubsub_push_envelope.json",
            "my-project/my-repo/hello-world",
            "1.1",
        ),
        (
            "artifactory",
            "artifactory/webhook_docker_pushed.json",
            "docker-remote-cache/library/ubuntu",
            "latest",
        ),
        ("quay", "quay/webhook_repo_push.json", "acme/api", "latest"),
        ("nexus", "nexus/webhook_component_created.json", "team/api", "1.2.3"),
        ("nexus", "nexus/webhook_asset_created.json", "team/api", "1.2.3"),
        ("zot", "zot/event_image_updated_body.json", "golang", "latest"),
    ],
    ids=lambda value: value if "." in value or "/" in value else None,
)
def test_a_recorded_push_is_one(
    source: Source, name: str, repository: str, tag: str
) -> None:
    headers = {"nexus": NEXUS, "zot": ZOT}.get(source)

    (push,) = told(source, name, headers_of(headers) if headers else {}).pushes

    assert (push.repository, push.tag, push.is_delete) == (repository, tag, False)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("distribution", "distribution/notification_pull.json"),
        ("distribution", "distribution/notification_push_envelope.json"),
        ("harbor", "harbor/webhook_default_pull_artifact.json"),
        ("harbor", "harbor/webhook_cloudevents_pull_artifact.json"),
    ],
)
def test_a_recorded_pull_or_push_without_a_tag_is_none(
    source: Source, name: str
) -> None:
    found = told(source, name)

    assert found.pushes == ()
    assert set(found.useless) == {"not_a_push"}


@pytest.mark.parametrize(
    ("source", "name", "repository"),
    [
        (
            "distribution",
            "distribution/notification_delete_target.json",
            "library/test",
        ),
        ("acr", "acr/webhook_delete.json", "hello-world"),
    ],
)
def test_a_recorded_delete_is_one_of_all_its_tags(
    source: Source, name: str, repository: str
) -> None:
    (push,) = told(source, name).pushes

    assert (push.repository, push.tag, push.is_delete) == (repository, None, True)
    assert push.digest is not None


def test_every_tag_of_a_recorded_push_to_quay_is_read() -> None:
    found = told("quay", "quay/webhook_repo_push_sample_legacy.json")

    assert [push.tag for push in found.pushes] == ["latest", "foo"]


@pytest.mark.parametrize("event", ["registry_package", "package"])
def test_a_recorded_package_without_a_tag_is_no_push(event: str) -> None:
    name = f"github/webhook_{event}_published_container.json"
    body = shared_path(f"samples/{name}").read_bytes()
    headers = {"x-github-event": event, **GITHUB}

    found = read_body("ghcr", body, headers)
    tagged = body.replace(b'"name": ""', b'"name": "1.4"')

    assert found.useless == ("not_a_push",)
    (push,) = read_body("ghcr", tagged, headers).pushes
    assert push.repository == "codertocat/hello-world"
