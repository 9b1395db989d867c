"""Other forms that a sender may give its bodies, and what none of them has."""

import pytest

from support.webhook_bodies import AT, DIGEST, TIME, ZOT, resource_of, told
from weighbridge.domain.webhook.webhook_source import ParsedDelivery, PushSeen


def test_harbor_tells_of_pushes_as_cd_events_too() -> None:
    body = {
        "specversion": "1.0",
        "id": "c-1",
        "type": "dev.cdevents.artifact.published.0.1.1",
        "time": TIME,
        "data": {
            "context": {"type": "dev.cdevents.artifact.published.0.1.1"},
            "subject": {"id": "pkg:oci/api", "type": "artifact"},
            "customData": resource_of("", "1.4")["event_data"],
        },
    }

    event = f"c-1 shop/api 1.4 {DIGEST}"
    expected = PushSeen("shop/api", "1.4", DIGEST, False, AT, event)
    assert told("harbor", body) == ParsedDelivery(pushes=(expected,))


def test_two_pushes_of_harbor_without_a_time_are_two() -> None:
    body = resource_of("PUSH_ARTIFACT", "1.4")
    del body["occur_at"]

    (push,) = told("harbor", body).pushes

    assert push.event == ""


@pytest.mark.parametrize(("kind", "is_delete"), [("updated", False), ("deleted", True)])
def test_a_type_of_zot_may_begin_with_another_name(kind: str, is_delete: bool) -> None:
    headers = {**ZOT, "ce-type": f"com.example.registry.image.{kind}"}

    (push,) = told("zot", {"name": "shop/api", "reference": "1"}, headers).pushes

    assert push.is_delete is is_delete


def test_what_has_no_name_of_its_own_has_that_of_standard_webhooks() -> None:
    body = {"repository": "shop/api", "updated_tags": ["1", "2"]}

    found = told("quay", body, {"webhook-id": "m-1"}).pushes

    assert [push.event for push in found] == ["m-1 shop/api 1", "m-1 shop/api 2"]
    assert found == told("quay", body, {"webhook-id": "m-1"}).pushes


@pytest.mark.parametrize(
    ("source", "body"),
    [
        ("distribution", {"events": [0] * 10_001}),
        ("acr", [{}] * 10_001),
        ("quay", {"repository": "shop/api", "updated_tags": ["1"] * 10_001}),
    ],
)
def test_a_list_that_no_sender_makes_is_not_read(source: str, body: object) -> None:
    assert told(source, body) == ParsedDelivery(useless=("malformed",))
