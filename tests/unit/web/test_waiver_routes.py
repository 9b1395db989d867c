"""Waivers over HTTP: who may make them, and what is refused."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from support.json_schema import misfits
from support.read_model import NOW
from support.store_world import World
from support.tokens import a_kept_token, a_token, bearer
from support.web_app import create_app
from weighbridge.domain.access.roles import AccessToken
from weighbridge.store.access import acts
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions
from weighbridge.web.request.bodies import BODY_BYTES

pytestmark = pytest.mark.slow

PATH = "/api/v1/waivers"
WISH = {
    "registry": "hub",
    "repository": "acme/*",
    "limit_key": "max_growth",
    "reason": "torch moves out in 1.6",
    "expires_at": "2027-01-31",
}


@pytest.fixture
def token(world: World) -> AccessToken:
    return a_kept_token(world.database, "admin", NOW)[1]


@pytest.fixture
def admin(world: World, token: AccessToken) -> TestClient:
    """Asks with the token of an admin."""
    app = create_app(world.database, Telemetry(), WebOptions(), now=lambda: NOW)
    client = TestClient(
        app, base_url="http://127.0.0.1:8080", raise_server_exceptions=False
    )
    client.headers.update(bearer(a_kept_text(world.database)))
    return client


def a_kept_text(database: Database) -> str:
    return a_token(database, "admin", NOW, expires_in=timedelta(days=9))


def noted(database: Database) -> list[tuple[str, str, str]]:
    with database.read() as connection:
        return [(act.act, act.actor, act.subject) for act in acts(connection)]


def test_a_waiver_is_made_listed_and_revoked(admin: TestClient, world: World) -> None:
    made = admin.post(PATH, json=WISH)
    listed = admin.get(PATH).json()
    ended = admin.delete(f"{PATH}/{made.json()['id']}")

    assert made.status_code == 201
    assert made.headers["content-type"] == "application/json"
    assert made.json() == {
        "id": 1,
        "registry": "hub",
        "repository": "acme/*",
        "tag": "*",
        "limit_key": "max_growth",
        "reason": "torch moves out in 1.6",
        "author": "admin-2",
        "state": "active",
        "created_at": "2026-09-22T09:40:00Z",
        "expires_at": "2027-02-01T00:00:00Z",
        "revoked_at": None,
        "revoked_by": None,
    }
    assert listed == {"items": [made.json()], "next_cursor": None}
    assert (ended.status_code, ended.json()["state"]) == (200, "revoked")
    assert ended.json()["revoked_by"] == "admin-2"
    assert admin.get(PATH).json()["items"] == []
    assert admin.get(f"{PATH}?all=true").json()["items"] == [ended.json()]


def test_each_act_is_noted_with_the_token_that_did_it(
    admin: TestClient, token: AccessToken, world: World
) -> None:
    number = admin.post(PATH, json=WISH).json()["id"]
    admin.delete(f"{PATH}/{number}")
    admin.delete(f"{PATH}/{number}")

    assert noted(world.database) == [
        ("waiver.create", "admin-2", "hub/acme/*"),
        ("waiver.revoke", "admin-2", "hub/acme/*"),
    ]


def deep() -> bytes:
    return b'{"reason":' * 100_000 + b"1" + b"}" * 100_000


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param(b" " * 50 * 1024**2, 413, "too_large", id="50-mib"),
        pytest.param(deep()[:BODY_BYTES], 400, "invalid_json", id="deep"),
        pytest.param(b'{"reason": NaN}', 400, "invalid_json", id="nan"),
        pytest.param(
            b'{"reason": "a", "reason": "b"}', 400, "duplicate_key", id="twice"
        ),
        pytest.param(
            json.dumps(WISH | {"reason": 5}).encode(), 422, "invalid_body", id="types"
        ),
        pytest.param(b"", 400, "invalid_json", id="empty"),
        pytest.param(b"\xff", 400, "invalid_json", id="no-utf-8"),
        pytest.param(b"[]", 422, "invalid_body", id="list"),
        pytest.param(b"null", 422, "invalid_body", id="null"),
        pytest.param(b"9" * 5000, 400, "invalid_json", id="digits"),
    ],
)
def test_a_body_that_is_none_is_refused__api_014(
    admin: TestClient, world: World, body: bytes, status: int, code: str
) -> None:
    answer = admin.post(PATH, content=body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert noted(world.database) == []


def test_a_body_without_a_length_is_read_no_further_than_the_cap__api_014(
    admin: TestClient,
) -> None:
    sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(800):
            sent += 1
            yield b" " * 65_536

    answer = admin.post(PATH, content=pieces())

    assert answer.status_code == 413


def with_member(name: str, value: object) -> Mapping[str, object]:
    return WISH | {name: value}


@pytest.mark.parametrize(
    ("wish", "code", "word"),
    [
        (with_member("tag", 1), "invalid_body", "must be a text"),
        (with_member("repository", ["a"]), "invalid_body", "must be a text"),
        (with_member("reason", None), "invalid_body", "is missing"),
        (with_member("limitkey", "x"), "invalid_body", "no such member"),
        (with_member("e\x1b\u202e" * 30, "x"), "invalid_body", "no such member"),
        (with_member("limit_key", "min_growth"), "invalid_waiver", "no limit"),
        (with_member("limit_key", ""), "invalid_waiver", "no limit"),
        (with_member("repository", "ACME"), "invalid_waiver", "no name or pattern"),
        (with_member("registry", "' OR 1=1--"), "invalid_waiver", "no name"),
        (with_member("tag", ""), "invalid_waiver", "no name or pattern"),
        (with_member("reason", " "), "invalid_waiver", "needs a reason"),
        (with_member("reason", "x" * 501), "invalid_waiver", "needs a reason"),
        (with_member("expires_at", "30d"), "invalid_waiver", "neither a day"),
        (with_member("expires_at", "2026-09-21"), "invalid_waiver", "in the future"),
        (with_member("expires_at", "2099-01-01"), "invalid_waiver", "at most"),
    ],
)
def test_what_cannot_be_waived_is_refused_with_its_reason(
    admin: TestClient, world: World, wish: Mapping[str, object], code: str, word: str
) -> None:
    answer = admin.post(PATH, json=wish)

    assert answer.status_code == 422
    assert answer.json()["error"].keys() == {"code", "message", "detail"}
    assert answer.json()["error"]["code"] == code
    assert word in answer.text
    assert "\u202e" not in json.loads(answer.text)["error"]["message"]
    assert noted(world.database) == []


def test_a_registry_that_is_not_known_is_not_found(admin: TestClient) -> None:
    answer = admin.post(PATH, json=with_member("registry", "hubb"))
    every = admin.post(PATH, json=with_member("registry", "h*"))

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "registry_not_found"
    assert every.status_code == 201


@pytest.mark.parametrize("number", ["2", "x", "-1", "%31x", "9" * 19, "1%00"])
def test_a_waiver_that_is_not_there_cannot_be_revoked(
    admin: TestClient, number: str
) -> None:
    answer = admin.delete(f"{PATH}/{number}")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "waiver_not_found"


@pytest.mark.parametrize(
    "path", ["..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/", "1/", "%c0%ae%c0%ae/", "1%2f2"]
)
def test_a_path_leads_to_no_waiver__api_009(admin: TestClient, path: str) -> None:
    made = admin.post(PATH, json=WISH)

    answer = admin.delete(f"{PATH}/{path}")

    assert answer.status_code == 404
    assert admin.get(PATH).json()["items"] == [made.json()]


@pytest.mark.parametrize(
    ("headers", "is_taken"),
    [
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "http://127.0.0.1:8080"}, False),
        ({"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:8080"}, True),
        ({}, True),
    ],
)
def test_no_other_site_waives_anything__api_019(
    admin: TestClient, world: World, headers: Mapping[str, str], is_taken: bool
) -> None:
    asked: list[Callable[[], int]] = [
        lambda: admin.post(PATH, json=WISH, headers=headers).status_code,
        lambda: admin.delete(f"{PATH}/1", headers=headers).status_code,
    ]

    statuses = [ask() for ask in asked]

    assert statuses == ([201, 200] if is_taken else [403, 403])
    assert len(noted(world.database)) == (2 if is_taken else 0)


def test_a_body_is_not_read_before_the_token_was_looked_at__api_014(
    client: TestClient,
) -> None:
    answer = client.post(PATH, content=b"{" * 1_000_000)

    assert answer.status_code == 401


def test_every_answer_is_of_its_schema_and_every_status_is_documented(
    admin: TestClient, world: World
) -> None:
    read = bearer(a_token(world.database, "read", NOW))
    document = admin.get("/api/v1/openapi.json").json()
    made = admin.post(PATH, json=WISH)
    answers = {
        ("post", PATH): [
            made,
            admin.post(PATH, content=b"{"),
            admin.post(PATH, content=b" " * (BODY_BYTES + 1)),
            admin.post(PATH, json={}),
            admin.post(PATH, json=with_member("registry", "no")),
            admin.post(PATH, json=WISH, headers=bearer("x")),
            admin.post(PATH, json=WISH, headers=read),
            admin.post(PATH, json=WISH, headers={"host": "evil.example"}),
        ],
        ("delete", f"{PATH}/{{waiver_id}}"): [
            admin.delete(f"{PATH}/1"),
            admin.delete(f"{PATH}/1?x=1"),
            admin.delete(f"{PATH}/2"),
            admin.delete(f"{PATH}/1", headers=bearer("x")),
            admin.delete(f"{PATH}/1", headers=read),
            admin.delete(f"{PATH}/1", headers={"host": "evil.example"}),
        ],
    }

    for (method, path), sent in answers.items():
        responses = document["paths"][path][method]["responses"]
        seen = {str(answer.status_code) for answer in sent}
        assert seen | {"503"} == responses.keys()
        for answer in sent:
            content = responses[str(answer.status_code)]["content"]
            schema = content["application/json"]["schema"]
            assert misfits(answer.json(), schema, document) == []
    wish = document["components"]["schemas"]["WaiverInput"]
    assert set(wish["required"]) == WISH.keys() - {"limit_key"}
    assert wish["properties"].keys() == WISH.keys() | {"tag"}
