"""Who is let in, and which registry that one speaks for."""

import base64
import hashlib
import hmac
import json

import pytest

from support.read_model import NOW
from support.tokens import a_token
from support.webhooks import SECRET, Service, a_hook, a_push, a_service, body_of
from weighbridge.ports.job_names import PUSH
from weighbridge.store.session import Database
from weighbridge.web.options import WebOptions


def test_webhook_001_no_credentials(service: Service) -> None:
    answer = service.post(b"{", authorization=None)

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "bad_signature"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert service.rows() == []
    assert (service.events(), service.rejections()) == (0, {"bad_signature": 1})


@pytest.mark.parametrize(
    "header",
    [
        f"Bearer {SECRET[:-1]}x",
        "Bearer ",
        "Bearer",
        b"Bearer \xc3\xa9\xc3\xa9",
        b"Bearer \xff\xfe",
        "Basic " + base64.b64encode(f"{SECRET}:x".encode()).decode(),
    ],
)
def test_webhook_002_wrong_empty_and_strange_tokens(
    service: Service, header: str | bytes
) -> None:
    raw = header.encode() if isinstance(header, str) else header

    answer = service.client.post(
        "/webhooks/distribution",
        content=body_of(a_push()),
        headers={b"authorization": raw},
    )

    assert answer.status_code == 401
    assert service.rows() == []


def test_two_headers_of_credentials_are_none(service: Service) -> None:
    header = ("authorization", f"Bearer {SECRET}")

    answer = service.client.post("/webhooks/distribution", headers=[header, header])

    assert answer.status_code == 401


@pytest.mark.parametrize("signature", ["v1", "v1,", "v1,!!!", "v1,a,b", "v1,a " * 4000])
def test_webhook_003_malformed_signatures(service: Service, signature: str) -> None:
    answer = service.post(
        authorization=None,
        webhook_id="m",
        webhook_timestamp="1767323045",
        webhook_signature=signature,
    )

    assert answer.status_code == 401
    assert service.rows() == []


@pytest.mark.parametrize("sent_at", ["-600", "600", "NaN", "1e308", "0"])
def test_webhook_004_signed_too_long_ago_or_ahead(
    service: Service, sent_at: str
) -> None:
    body = body_of(a_push())
    signed = hmac.new(SECRET.encode(), f"m.{sent_at}.".encode() + body, "sha256")

    answer = service.post(
        body,
        authorization=None,
        webhook_id="m",
        webhook_timestamp=sent_at,
        webhook_signature=f"v1,{base64.b64encode(signed.digest()).decode()}",
    )

    assert answer.status_code == 401


def test_webhook_005_a_replay_is_a_duplicate(service: Service) -> None:
    answers = [service.post().status_code for _ in range(2)]

    assert answers == [202, 202]
    assert len(service.rows()) == 1
    assert service.jobs.of(PUSH) == ["local/shop/api"]
    assert (service.events(), service.rejections()) == (2, {"duplicate": 1})


def test_the_secret_says_which_registry_is_meant(database: Database) -> None:
    hooks = [
        a_hook("distribution", "one", "the-secret-of-one"),
        a_hook("distribution", "two", "an-old-secret-of-two", "a-new-secret-of-two"),
    ]
    service = a_service(database, hooks)

    for number, text in enumerate(
        ("a-new-secret-of-two", "an-old-secret-of-two", "the-secret-of-one")
    ):
        service.post(body_of(a_push(str(number))), authorization=text)

    assert [row.registry for row in service.rows()] == ["two", "two", "one"]


def test_a_secret_of_another_source_is_none(database: Database) -> None:
    hooks = [a_hook("distribution"), a_hook("harbor", "harbor", "the-secret-of-harbor")]
    service = a_service(database, hooks)

    answer = service.post(authorization="the-secret-of-harbor")

    assert answer.status_code == 401


@pytest.mark.parametrize("source", ["harbor", "nothing", "DISTRIBUTION", "%00"])
def test_where_no_webhook_is_configured_there_is_nothing(
    service: Service, source: str
) -> None:
    answer = service.post(path=f"/webhooks/{source}")

    assert answer.status_code == 404
    assert service.rejections(source) == {}


def test_github_is_known_by_its_signature(database: Database) -> None:
    service = a_service(database, [a_hook("ghcr", "ghcr")])
    body = json.dumps(
        {
            "action": "published",
            "registry_package": {
                "name": "api",
                "owner": {"login": "shop"},
                "package_version": {
                    "container_metadata": {"tag": {"name": "1.4", "digest": ""}}
                },
            },
        }
    ).encode()
    made = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"x_github_event": "registry_package", "x_github_delivery": "d"}

    good = service.post(
        body,
        path="/webhooks/ghcr",
        authorization=None,
        x_hub_signature_256=f"sha256={made}",
        **headers,
    )
    bad = service.post(
        body + b" ",
        path="/webhooks/ghcr",
        authorization=None,
        x_hub_signature_256=f"sha256={made}",
        **headers,
    )

    assert (good.status_code, bad.status_code) == (202, 401)
    assert [(row.repository, row.tag) for row in service.rows()] == [
        ("shop/api", "1.4")
    ]
    assert service.rejections("ghcr") == {"bad_signature": 1}


@pytest.mark.parametrize(
    "path", [f"/webhooks/acr/{SECRET}", f"/webhooks/acr?key={SECRET}&other=1"]
)
def test_event_grid_gets_its_code_back_once_it_is_known(
    database: Database, path: str
) -> None:
    service = a_service(database, [a_hook("acr", "azure")])
    question = [
        {
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "data": {"validationCode": "c-1"},
        }
    ]
    body = json.dumps(question).encode()

    known = service.post(body, path=path, authorization=None)
    stranger = service.post(body, path="/webhooks/acr?key=x", authorization=None)

    assert (known.status_code, known.json()) == (200, {"validationResponse": "c-1"})
    assert stranger.status_code == 401
    assert "c-1" not in stranger.text


@pytest.mark.parametrize(
    "query", ["key=a&key=b", "&".join(["key=x"] * 20), "%ff=%fe", "key", "key="]
)
def test_a_strange_query_is_no_key(database: Database, query: str) -> None:
    service = a_service(database, [a_hook("acr", "azure")])

    answer = service.post(path=f"/webhooks/acr?{query}", authorization=None)

    assert answer.status_code == 401


def test_no_token_is_needed_and_none_is_enough(database: Database) -> None:
    options = WebOptions(bind="0.0.0.0:8080", anonymous_read=True)
    service = a_service(database, options=options)

    assert service.post().status_code == 202
    assert service.post(authorization=None).status_code == 401


@pytest.mark.parametrize(
    ("role", "status"),
    [
        ("webhook:distribution", 202),
        ("webhook:harbor", 401),
        ("admin", 401),
        ("read", 401),
    ],
)
def test_a_token_opens_its_own_source_only(
    database: Database, role: str, status: int
) -> None:
    service = a_service(database)
    token = a_token(database, role, NOW)

    answer = service.post(authorization=f"Bearer {token}")

    assert answer.status_code == status
    assert len(service.rows()) == (status == 202)


def test_a_token_is_taken_as_a_password_and_not_once_it_was_revoked(
    database: Database,
) -> None:
    service = a_service(database)
    token = a_token(database, "webhook:distribution", NOW)
    revoked = a_token(database, "webhook:distribution", NOW, is_revoked=True)

    def sent(text: str) -> int:
        pair = base64.b64encode(f"any:{text}".encode()).decode()
        return service.post(authorization=f"Basic {pair}").status_code

    assert (sent(token), sent(revoked)) == (202, 401)


def test_a_token_does_not_say_which_of_two_registries_sends(database: Database) -> None:
    hooks = [a_hook(), a_hook("distribution", "other", "another-long-secret")]
    service = a_service(database, hooks)
    token = a_token(database, "webhook:distribution", NOW)

    answer = service.post(authorization=f"Bearer {token}")

    assert answer.status_code == 403
    assert "secret of its entry" in answer.json()["error"]["message"]
    assert service.rows() == []
