"""Whole bodies, with all that their senders put into them."""

import json
from typing import Final

import pytest

from support.data import documents
from weighbridge.domain.webhook.sources.source_table import read_body
from weighbridge.domain.webhook.webhook_source import ParsedDelivery

DELIVERIES: Final = documents("deliveries")


def told(source: str, name: str) -> ParsedDelivery:
    delivery = DELIVERIES[name]
    headers = {field.lower(): v for field, v in delivery.get("headers", {}).items()}
    return read_body(source, json.dumps(delivery["body"]).encode(), headers)


@pytest.mark.parametrize(
    ("source", "name", "repository", "tag"),
    [
        ("distribution", "distribution push", "shop/cart", "2.0"),
        ("harbor", "harbor push", "shop/cart", "2.0"),
        ("harbor", "harbor cloud event push", "shop/cart", "2.0"),
        ("dockerhub", "dockerhub push", "shop/cart", "2.0"),
        ("ecr", "ecr push", "shop/cart", "2.0"),
        ("acr", "acr push", "shop/cart", "2.0"),
        ("acr", "acr event grid push", "shop/cart", "2.0"),
        ("google", "google push", "shop-prod/images/cart", "2.0"),
        (
            "artifactory",
            "artifactory push",
            "docker-remote-cache/library/nginx",
            "stable",
        ),
        ("quay", "quay push", "shop/cart", "2.0"),
        ("nexus", "nexus component", "shop/cart", "2.0"),
        ("nexus", "nexus asset", "shop/cart", "2.0"),
        ("zot", "zot push", "shop/cart", "2.0"),
    ],
    ids=lambda value: value if " " in value else None,
)
def test_a_whole_push_is_one(source: str, name: str, repository: str, tag: str) -> None:
    (push,) = told(source, name).pushes

    assert (push.repository, push.tag, push.is_delete) == (repository, tag, False)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("distribution", "distribution pull"),
        ("distribution", "distribution push without a tag"),
        ("harbor", "harbor pull"),
        ("harbor", "harbor cloud event pull"),
    ],
)
def test_a_pull_or_a_push_without_a_tag_is_none(source: str, name: str) -> None:
    found = told(source, name)

    assert found.pushes == ()
    assert set(found.useless) == {"not_a_push"}


@pytest.mark.parametrize(
    ("source", "name"),
    [("distribution", "distribution delete"), ("acr", "acr delete")],
)
def test_a_delete_is_one_of_all_its_tags(source: str, name: str) -> None:
    (push,) = told(source, name).pushes

    assert (push.repository, push.tag, push.is_delete) == ("shop/cart", None, True)
    assert push.digest is not None


def test_every_tag_of_a_push_to_quay_is_read() -> None:
    found = told("quay", "quay push of two tags")

    assert [push.tag for push in found.pushes] == ["2.0", "latest"]


@pytest.mark.parametrize("event", ["registry_package", "package"])
def test_a_package_without_a_tag_is_no_push(event: str) -> None:
    body = json.dumps(DELIVERIES[f"github {event}"]["body"]).encode()
    headers = {"x-github-event": event, "x-github-delivery": "d"}

    found = read_body("ghcr", body, headers)
    tagged = body.replace(b'{"name": ""', b'{"name": "2.0"')

    assert found.useless == ("not_a_push",)
    (push,) = read_body("ghcr", tagged, headers).pushes
    assert (push.repository, push.tag) == ("shop-inc/cart", "2.0")
