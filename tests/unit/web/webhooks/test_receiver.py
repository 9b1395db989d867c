"""What becomes of a webhook: what is kept, what is answered."""

import json

import pytest

from support.read_model import NOW
from support.webhooks import SECRET, Service, a_hook, a_push, a_service, body_of
from weighbridge.ports.job_names import PUSH
from weighbridge.store.session import Database


def test_a_push_is_kept_and_its_repository_is_asked_about(service: Service) -> None:
    answer = service.post()

    (row,) = service.rows()
    assert (answer.status_code, answer.content) == (202, b"")
    assert (row.registry, row.repository, row.tag) == ("local", "shop/api", "1.4")
    assert row.received_at == NOW
    assert service.jobs.asked == [(PUSH, "local/shop/api")]
    assert (service.events(), service.rejections()) == (1, {})


def test_several_events_of_one_body_ask_once_for_each_repository(
    service: Service,
) -> None:
    service.post(body_of(a_push("1"), a_push("2", tag="2"), a_push("3", "shop/web")))

    assert [row.tag for row in service.rows()].count("1.4") == 2
    assert sorted(service.jobs.of(PUSH)) == ["local/shop/api", "local/shop/web"]


def test_webhook_007_malformed_but_authenticated(service: Service) -> None:
    answer = service.post(b'{"events":[')

    assert answer.status_code == 202
    assert service.rows() == []
    assert (service.events(), service.rejections()) == (1, {"malformed": 1})


def test_every_event_of_a_body_that_is_useless_is_counted(service: Service) -> None:
    pull = {**a_push(), "action": "pull"}

    service.post(body_of(*[pull] * 1_000, {"id": "no event"}))

    assert service.rejections() == {"not_a_push": 1_001}


def test_webhook_009_an_internal_address_in_an_event_is_kept_nowhere(
    service: Service,
) -> None:
    assert b"169.254.169.254" in body_of(a_push())

    service.post()

    (row,) = service.rows()
    assert "169.254" not in repr(row)
    assert service.jobs.asked == [(PUSH, "local/shop/api")]


def test_webhook_010_a_callback_address_is_kept_nowhere(database: Database) -> None:
    service = a_service(database, [a_hook("dockerhub")])
    body = {
        "callback_url": "http://127.0.0.1:1/x",
        "push_data": {"tag": "v1"},
        "repository": {"repo_name": "a/b"},
    }

    answer = service.post(
        json.dumps(body).encode(), path=f"/webhooks/dockerhub/{SECRET}"
    )

    (row,) = service.rows()
    assert answer.status_code == 202
    assert "127.0.0.1" not in repr(row)


def test_webhook_011_what_is_not_looked_at_has_no_row(database: Database) -> None:
    hook = a_hook(is_ours=lambda push: push.repository.startswith("shop/"))
    service = a_service(database, [hook])

    answer = service.post(body_of(a_push("1", "unknown/repo"), a_push("2")))

    assert answer.status_code == 202
    assert [row.repository for row in service.rows()] == ["shop/api"]
    assert service.jobs.of(PUSH) == ["local/shop/api"]
    assert service.rejections() == {"ignored": 1}


def test_webhook_016_a_late_push_is_a_hint_as_the_delete_before_it(
    service: Service,
) -> None:
    delete = {**a_push("2"), "action": "delete"}

    for event in (delete, a_push("1")):
        assert service.post(body_of(event)).status_code == 202

    # Which of them holds is asked of the registry: both rows only name the tag.
    assert [(row.tag, row.is_delete) for row in service.rows()] == [
        ("1.4", True),
        ("1.4", False),
    ]
    assert service.jobs.of(PUSH) == ["local/shop/api"] * 2


def test_a_pull_is_counted_and_not_kept(service: Service) -> None:
    answer = service.post(body_of({**a_push(), "action": "pull"}))

    assert answer.status_code == 202
    assert service.rows() == []
    assert service.rejections() == {"not_a_push": 1}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_only_post_is_answered(service: Service, method: str) -> None:
    answer = service.client.request(method, "/webhooks/distribution")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


def test_any_host_is_answered_on_loopback_too(service: Service) -> None:
    """As a proxy hands it on. Who reads is held to a loopback name."""
    host = "weighbridge.example"

    assert service.post(host=host).status_code == 202
    assert service.client.get("/", headers={"host": host}).status_code == 421


def test_a_page_of_another_site_sends_nothing(service: Service) -> None:
    answer = service.post(origin="https://evil.example", sec_fetch_site="cross-site")

    assert answer.status_code == 403
    assert service.rows() == []


def test_metrics_name_the_route_and_never_the_secret(database: Database) -> None:
    service = a_service(database, [a_hook("quay", "quay")])
    service.post(
        json.dumps({"repository": "a/b", "updated_tags": ["1"]}).encode(),
        path=f"/webhooks/quay/{SECRET}",
        authorization=None,
    )

    text = service.client.get("/metrics").text

    assert 'route="/webhooks/{source}/{secret}"' in text
    assert 'weighbridge_webhook_events_total{source="quay"} 1.0' in text
    assert SECRET not in text


def test_counters_are_there_before_anything_comes(service: Service) -> None:
    text = service.client.get("/metrics").text

    for reason in ("bad_signature", "malformed", "duplicate", "overload"):
        labels = f'reason="{reason}",source="distribution"'
        assert f"weighbridge_webhook_rejections_total{{{labels}}} 0.0" in text
