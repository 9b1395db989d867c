"""What a refusal says, what a token may be sent as, and what may be kept of answers."""

import base64
from collections.abc import Mapping
from ipaddress import ip_network

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient

from support.read_model import NOW
from support.tokens import a_token, bearer
from support.web_app import create_app
from weighbridge.domain.access.roles import new_secret
from weighbridge.errors import UsageError
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions

WRONG = new_secret("read", bytes(32)).reveal()
PATHS = ("/", "/api/v1/registries", "/metrics", "/metrics/repositories", "/search")


@pytest.fixture
def read(database: Database) -> str:
    return a_token(database, "read", NOW)


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture
def remote(database: Database, telemetry: Telemetry, read: str) -> TestClient:
    """Asks over a network a service that has a token for reading."""
    options = WebOptions(bind="0.0.0.0:8080")
    app = create_app(database, telemetry, options, now=lambda: NOW)
    return TestClient(app, base_url="http://weighbridge.example")


def basic(password: str) -> Mapping[str, str]:
    pair = base64.b64encode(f"anybody:{password}".encode()).decode()
    return {"authorization": f"Basic {pair}"}


def done(_: Request) -> Response:
    return PlainTextResponse("done")


def test_no_token_and_a_wrong_one_get_the_same_answer(
    remote: TestClient, database: Database
) -> None:
    revoked = a_token(database, "admin", NOW, is_revoked=True)

    for path in PATHS:
        answers = [
            remote.get(path, headers=headers)
            for headers in ({}, bearer(WRONG), bearer(revoked), basic("x"))
        ]

        assert {answer.status_code for answer in answers} == {401}
        assert len({answer.content for answer in answers}) == 1
        assert len({str(sorted(answer.headers.items())) for answer in answers}) == 1


def test_a_refusal_has_the_shape_of_every_error(remote: TestClient, read: str) -> None:
    none = remote.get("/api/v1/registries")
    little = remote.get("/metrics", headers=bearer(read))

    assert none.json()["error"]["code"] == "token_needed"
    assert none.headers["content-type"] == "application/json"
    assert little.status_code == 403
    assert little.json()["error"]["code"] == "forbidden"
    assert "role metrics" in little.json()["error"]["message"]
    assert "content-security-policy" in none.headers


def test_a_browser_asks_its_user_for_pages_and_a_program_for_a_token(
    remote: TestClient,
) -> None:
    page = remote.get("/", headers={"accept": "text/html"})
    twin = remote.get("/repositories.csv")
    api = remote.get("/api/v1/registries")
    scrape = remote.get("/metrics")

    assert page.status_code == 401
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for answer in (page, twin):
        challenge = answer.headers["www-authenticate"]
        assert challenge == 'Basic realm="weighbridge", charset="UTF-8"'
    for answer in (api, scrape):
        assert answer.headers["www-authenticate"] == 'Bearer realm="weighbridge"'


def test_the_token_may_be_the_password_of_any_user(
    remote: TestClient, read: str
) -> None:
    assert remote.get("/", headers=basic(read)).status_code == 200
    assert remote.get("/", headers=basic(WRONG)).status_code == 401


def test_a_token_in_the_address_is_never_taken(remote: TestClient, read: str) -> None:
    for name in ("token", "access_token", "key"):
        answer = remote.get(f"/api/v1/registries?{name}={read}")

        assert answer.status_code == 401
        assert read not in answer.text


def test_two_headers_are_no_token(remote: TestClient, read: str) -> None:
    sent = [("authorization", f"Bearer {read}")] * 2

    assert remote.get("/", headers=sent).status_code == 401


def test_what_was_read_with_a_token_is_kept_by_nobody(
    remote: TestClient, read: str
) -> None:
    first = remote.get("/api/v1/registries", headers=bearer(read))
    known = {**bearer(read), "if-none-match": first.headers["etag"]}

    assert first.headers["cache-control"] == "no-store"
    assert remote.get("/", headers=bearer(read)).headers["cache-control"] == "no-store"
    again = remote.get("/api/v1/registries", headers=known)
    assert (again.status_code, again.headers["cache-control"]) == (304, "no-store")
    assert remote.get("/").headers["cache-control"] == "no-store"


def test_what_everybody_may_read_may_be_kept(client: TestClient) -> None:
    for path in ("/", "/api/v1/registries"):
        assert client.get(path).headers["cache-control"] == "private, no-cache"


def test_health_is_told_without_a_token(remote: TestClient) -> None:
    for path in ("/healthz", "/readyz", "/static/app.js"):
        assert remote.get(path).status_code == 200


def test_a_refusal_of_head_has_no_body(remote: TestClient) -> None:
    answer = remote.head("/api/v1/registries")

    assert (answer.status_code, answer.content) == (401, b"")


def test_refusals_are_counted_by_route_and_never_by_path(
    remote: TestClient, telemetry: Telemetry
) -> None:
    remote.get("/api/v1/crawls/7")
    remote.get("/nothing/here")

    def count(route: str, code: str) -> float | None:
        labels = {"method": "GET", "route": route, "code": code}
        return telemetry.registry.get_sample_value(
            "weighbridge_http_requests_total", labels
        )

    assert count("/api/v1/crawls/{crawl_id}", "401") == 1
    assert count("other", "404") == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:8080"}, 200),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "https://evil.example"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": ""}, 403),
    ],
)
def test_another_sites_page_never_writes__api_019(
    database: Database, headers: Mapping[str, str], status: int
) -> None:
    app = create_app(database, Telemetry(), WebOptions(), now=lambda: NOW)
    app.add_route("/api/v1/written", done, methods=["POST"])
    client = TestClient(app, base_url="http://127.0.0.1:8080")
    admin = basic(a_token(database, "admin", NOW))

    answer = client.post("/api/v1/written", headers={**admin, **headers})

    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error"]["code"] == "cross_site"


def test_a_body_is_not_read_before_the_token_was_looked_at__api_014(
    database: Database,
) -> None:
    app = create_app(database, Telemetry(), WebOptions(), now=lambda: NOW)
    taken: list[Request] = []

    def take(request: Request) -> Response:
        taken.append(request)
        return PlainTextResponse("taken")

    app.add_route("/api/v1/written", take, methods=["POST"])
    client = TestClient(app, base_url="http://127.0.0.1:8080")

    headers = {"content-type": "application/json", "content-length": "50000000"}
    answer = client.post("/api/v1/written", content=b"{" * 9, headers=headers)

    assert answer.status_code == 401
    assert taken == []


@pytest.mark.parametrize(
    ("options", "way"),
    [
        (WebOptions(bind="0.0.0.0:8080"), "listen on 127.0.0.1, or"),
        (
            WebOptions(external_url="https://weighbridge.example"),
            "leave out web.external_url and web.trusted_proxies, or",
        ),
    ],
)
def test_whoever_has_no_token_gets_a_hint_that_helps(
    database: Database, options: WebOptions, way: str
) -> None:
    with pytest.raises(UsageError) as caught:
        create_app(database, Telemetry(), options, now=lambda: NOW)

    assert way in caught.value.hint


@pytest.mark.parametrize(
    "options",
    [
        WebOptions(bind="0.0.0.0:8080"),
        WebOptions(bind="[::]:8080"),
        WebOptions(bind="192.168.1.5:8080"),
        WebOptions(external_url="https://weighbridge.example"),
        WebOptions(metrics_bind="0.0.0.0:9090"),
        WebOptions(trusted_proxies=(ip_network("127.0.0.1/32"),)),
    ],
)
def test_nothing_is_served_to_a_network_that_nobody_could_use(
    database: Database, options: WebOptions
) -> None:
    a_token(database, "admin", NOW, is_revoked=True)
    with pytest.raises(UsageError) as caught:
        create_app(database, Telemetry(), options, now=lambda: NOW)

    assert caught.value.code == "no_token"
    assert "weighbridge token create" in caught.value.hint

    a_token(database, "metrics", NOW)
    create_app(database, Telemetry(), options, now=lambda: NOW)
