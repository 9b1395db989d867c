"""What strangers send: refused or answered, never believed and never a 500."""

import json
import re
from datetime import datetime

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from support.images import an_image, some_layers
from support.read_model import NOW
from support.store_world import World
from support.tokens import a_token, bearer
from support.web_app import create_app
from weighbridge.domain.image.document import Line
from weighbridge.presentation.forms.csv_json_markdown import csv_cell
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions, host_of, is_loopback
from weighbridge.web.request.parameters import Parameters
from weighbridge.web.routes.app import RIGHTS

pytestmark = pytest.mark.slow

READS = [path for method, path in RIGHTS.roles if method == "GET"]
WRITES = [route for route in RIGHTS.roles if route[0] != "GET"]


@pytest.fixture
def filled(world: World) -> World:
    world.crawl({"1.0": an_image(some_layers(4000, 96))})
    return world


def assert_error(client: TestClient, path: str, status: int, code: str) -> None:
    """The one shape, and nothing of our insides."""
    answer = client.get(path)

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json().keys() == {"error"}
    assert answer.json()["error"].keys() == {"code", "message", "detail"}
    assert answer.json()["error"]["code"] == code
    assert not re.search(r"SELECT|sqlite|Traceback|File \"", answer.text)


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        pytest.param(
            "q=x' UNION ALL SELECT name FROM sqlite_master--", 0, id="api-001-q"
        ),
        pytest.param("q=%25", 0, id="api-002-percent"),
        pytest.param("q=_", 0, id="api-002-underscore"),
        pytest.param("q=\\", 0, id="api-002-backslash"),
        pytest.param("q=%25%25%25%25%25%25%25%25", 0, id="api-002-many"),
        pytest.param("q=cme/a", 1, id="a-part-of-the-name"),
    ],
)
def test_filters_are_text_and_nothing_else(
    filled: World, client: TestClient, query: str, rows: int
) -> None:
    answer = client.get(f"/api/v1/repositories?{query}")

    assert answer.status_code == 200
    assert len(answer.json()["items"]) == rows
    assert len(client.get("/api/v1/repositories").json()["items"]) == 1


def test_a_registry_that_is_sql_is_a_name_that_nobody_has__api_001(
    filled: World, client: TestClient
) -> None:
    for path in ("/api/v1/repositories", "/api/v1/crawls", "/repositories.csv", "/"):
        query = f"{path}?registry=hub' OR 'a'='a"

        assert_error(client, query, 404, "registry_not_found")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        pytest.param("sort=tags;DROP TABLE tags", "invalid_sort", id="api-001-sort"),
        pytest.param("order=desc,(select 1)", "invalid_parameter", id="api-001-order"),
        pytest.param("limit=1000000000", "invalid_parameter", id="api-003"),
        pytest.param("limit=1001", "invalid_parameter", id="api-003-one-more"),
        pytest.param("limit=-1", "invalid_parameter", id="api-004"),
        pytest.param("limit=0", "invalid_parameter", id="api-004-none"),
        pytest.param("limit=１０", "invalid_parameter", id="api-006"),  # noqa: RUF001 - the case
        pytest.param("limit=1_0", "invalid_parameter", id="api-006-underscore"),
        pytest.param("limit=%2B5", "invalid_parameter", id="api-006-sign"),
        pytest.param("limit=%205", "invalid_parameter", id="api-006-blank"),
        pytest.param("limit=" + "9" * 2000, "invalid_parameter", id="api-003-digits"),
        pytest.param("limit=ten", "invalid_parameter", id="api-008"),
        pytest.param("limit=", "invalid_parameter", id="api-008-empty"),
        pytest.param("cursor=AAAA", "invalid_cursor", id="cursor"),
        pytest.param("limit=5&limit=6", "repeated_parameter", id="twice"),
        pytest.param("q=a%00b", "invalid_parameter", id="control"),
        pytest.param("q=" + "a" * 3000, "invalid_parameter", id="long"),
        pytest.param("vioLating=1", "unknown_parameter", id="unknown"),
    ],
)
def test_a_wrong_parameter_is_refused(
    filled: World, client: TestClient, query: str, code: str
) -> None:
    for path in ("/api/v1/repositories", "/repositories.json", "/repositories.csv"):
        assert_error(client, f"{path}?{query}", 400, code)


def test_no_handler_can_take_a_parameter_that_nothing_reads() -> None:
    def handler(request: Request, q: str = "") -> None:
        """Takes what says nothing of how it is read."""

    with pytest.raises(TypeError, match="how q of"):
        Parameters(handler, {})


def test_an_unknown_parameter_is_named(client: TestClient) -> None:
    error = client.get("/api/v1/registries?registy=hub").json()["error"]

    assert "registy" in error["message"]
    assert error["detail"] == {"unknown": ["registy"], "known": ["team"]}


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/api/v1/crawls/..%2f..%2fetc%2fpasswd", id="api-009-slashes"),
        pytest.param("/api/v1/repositories/%2e%2e/%2e%2e/", id="api-009-dots"),
        pytest.param("/api/v1/crawls/a%00b", id="api-009-nul"),
        pytest.param("/static/../../../etc/passwd", id="api-009-static"),
        pytest.param("/static/%2e%2e/%2e%2e/app.py", id="api-009-static-encoded"),
        pytest.param("/static/%c0%ae%c0%ae/app.py", id="api-009-overlong"),
        pytest.param("/static/a%00.css", id="api-009-static-nul"),
        pytest.param("/static/", id="static-folder"),
        pytest.param("/api/v1/repositories/", id="trailing-slash"),
        pytest.param("/docs", id="docs"),
    ],
)
def test_a_path_leads_nowhere_but_to_its_route(client: TestClient, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] in ("not_found", "crawl_not_found")
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    "ref",
    [
        "http://169.254.169.254/v2/",
        "../../etc/passwd",
        "hub/acme/app:" + "t" * 200,
        "hub/acme/app@sha256:abc",
        "hub/",
        "/",
        "hub//app",
        "HUB/ACME/APP",
        "😀/a",
    ],
)
def test_a_reference_that_is_none_is_refused(
    filled: World, client: TestClient, ref: str
) -> None:
    for path in ("/api/v1/image", "/api/v1/tags", "/api/v1/repository"):
        answer = client.get(path, params={"ref": ref})

        assert answer.status_code in (400, 404)
        assert answer.json()["error"]["code"] in (
            "invalid_reference",
            "repository_not_found",
        )


@pytest.mark.parametrize("platform", ["", "linux", "a/b/c/d", "linux/../x"])
def test_a_platform_that_is_none_is_no_fault_of_ours(
    filled: World, client: TestClient, platform: str
) -> None:
    answer = client.get(
        "/api/v1/image", params={"ref": "hub/acme/app:1.0", "platform": platform}
    )

    assert answer.status_code in (400, 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_no_route_takes_anything_but_what_it_says__api_012_api_014(
    client: TestClient, method: str
) -> None:
    body = json.dumps({"target": "http://169.254.169.254/v2/"}) * 1000
    for path in (*READS, "/api/v1/nothing"):
        if (method, path) in WRITES:
            continue
        answer = client.request(method, path, content=body)

        assert answer.status_code in (404, 405)
        assert answer.json()["error"]["code"] in ("not_found", "method_not_allowed")
        writes = [write for write, other in WRITES if other == path]
        allowed = ", ".join(["GET", "HEAD", *writes])
        expected = allowed if answer.status_code == 405 else None
        assert answer.headers.get("allow") == expected


def test_an_address_that_is_only_written_to_says_so(database: Database) -> None:
    app = create_app(database, Telemetry(), WebOptions(), now=lambda: NOW)
    client = TestClient(app, base_url="http://127.0.0.1:8080")
    headers = bearer(a_token(database, "admin", NOW))

    answer = client.get("/api/v1/waivers/1", headers=headers)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "DELETE"
    assert "this address only answers DELETE" in answer.text


def test_a_foreign_host_is_refused_on_loopback__api_016(client: TestClient) -> None:
    forged = {"host": "evil.example", "x-forwarded-host": "localhost"}
    for path in READS:
        answer = client.get(path, headers=forged)

        assert answer.status_code == 421
        assert answer.json()["error"]["code"] == "misdirected_request"
        assert "evil.example" not in answer.text


def test_a_browser_can_read_why_a_foreign_host_is_refused(client: TestClient) -> None:
    headers = {"host": "evil.example", "accept": "text/html,*/*;q=0.8"}

    page = client.get("/image?ref=hub/acme/app:1.0", headers=headers)
    twin = client.get("/repositories.json", headers=headers)
    api = client.get("/api/v1/registries", headers=headers)

    assert page.status_code == twin.status_code == api.status_code == 421
    assert page.headers["content-type"] == "text/plain; charset=utf-8"
    assert page.text.startswith("421: this service answers to loopback names only")
    assert "http://127.0.0.1:8080/" in page.text
    assert "<" not in page.text
    assert api.json()["error"]["code"] == "misdirected_request"
    assert twin.json()["error"]["code"] == "misdirected_request"


def test_links_never_take_a_host_from_the_request__api_016(filled: World) -> None:
    options = WebOptions(bind="0.0.0.0:8080", anonymous_read=True)
    app = create_app(filled.database, Telemetry(), options, now=lambda: NOW)
    client = TestClient(app, base_url="http://127.0.0.1:8080")
    forged = {
        "host": "evil.example",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "evil.example",
    }

    for path in ("/", "/image?ref=hub/acme/app:1.0", "/repositories.csv?limit=1"):
        answer = client.get(path, headers=forged)

        assert answer.status_code == 200
        assert "evil.example" not in answer.text
        assert "evil.example" not in str(answer.headers)


@pytest.mark.parametrize(
    ("host", "is_answered"),
    [
        ("localhost", True),
        ("localhost:8080", True),
        ("LOCALHOST.:8080", True),
        ("weighbridge.localhost", True),
        ("127.0.0.1:9", True),
        ("127.8.7.6", True),
        ("[::1]:8080", True),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("192.168.1.5", False),
        ("2130706433", False),
        ("", False),
    ],
)
def test_only_loopback_names_are_loopback(host: str, is_answered: bool) -> None:
    assert is_loopback(host_of(host)) is is_answered


def test_another_site_gets_no_permission_to_read__api_019(client: TestClient) -> None:
    origin = {"origin": "https://evil.example"}
    preflight = {**origin, "access-control-request-method": "POST"}

    answers = [
        client.get("/api/v1/registries", headers=origin),
        client.options("/api/v1/registries", headers=preflight),
        client.post("/api/v1/registries", headers=origin),
    ]

    assert [answer.status_code for answer in answers] == [200, 405, 405]
    for answer in answers:
        assert not [n for n in answer.headers if n.startswith("access-control-")]


@pytest.mark.parametrize(
    "path",
    ["/", "/api/v1/registries", "/healthz", "/metrics", "/static/app.js", "/nope"],
)
def test_every_answer_has_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers

    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "cache-control" in headers


def test_a_fault_of_ours_has_the_shape_and_the_headers_and_no_traceback(
    database: Database,
) -> None:
    def boom() -> datetime:
        raise RuntimeError("secret-of-ours")

    app = create_app(database, Telemetry(), WebOptions(), now=boom)
    client = TestClient(
        app, base_url="http://127.0.0.1:8080", raise_server_exceptions=False
    )

    assert_error(client, "/api/v1/registries", 500, "internal_error")
    answer = client.get("/api/v1/registries")
    assert "secret-of-ours" not in answer.text
    assert "content-security-policy" in answer.headers


def test_a_browser_gets_an_error_as_a_page(client: TestClient) -> None:
    answer = client.get("/image?ref=hub/acme/none:1", headers={"accept": "text/html"})

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "the repository hub/acme/none is not known here" in answer.text


def test_head_is_get_without_its_body(filled: World, client: TestClient) -> None:
    plain = {"accept-encoding": "identity"}
    for path in ("/", "/healthz", "/api/v1/repositories", "/metrics/repositories"):
        head, get = client.head(path, headers=plain), client.get(path, headers=plain)

        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == get.headers["content-type"]
        assert head.headers["content-length"] == str(len(get.content))


@pytest.mark.parametrize(
    "text", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"]
)
def test_no_cell_is_a_formula__config_blob_003(text: str) -> None:
    assert csv_cell(text) == f"'{text}"


def test_a_line_that_is_a_formula_is_text_in_csv__config_blob_003(
    world: World, client: TestClient
) -> None:
    formula = '=HYPERLINK("http://collector.example","open")'
    image = an_image(some_layers(100), lines=[Line(formula, None, 0)])
    world.crawl({"1.0": image})

    text = client.get("/image.csv?ref=hub/acme/app:1.0").text

    assert '"\'=HYPERLINK(""http://collector.example"",""open"")"' in text


def test_markup_from_a_pusher_is_text_in_every_format__config_blob_001(
    world: World, client: TestClient
) -> None:
    markup = "RUN <script>alert(1)</script><img src=x onerror=alert(2)>"
    world.crawl({"1.0": an_image(some_layers(100), lines=[Line(markup, None, 0)])})
    ref = "?ref=hub/acme/app:1.0"

    page = client.get(f"/image{ref}")
    document = client.get(f"/api/v1/image{ref}")
    overview = client.get("/")

    assert "<script>alert" not in page.text + overview.text
    assert "<img" not in page.text + overview.text
    assert document.headers["content-type"] == "application/json"
    assert document.headers["x-content-type-options"] == "nosniff"
    assert document.json()["images"][0]["lines"][0]["instruction"] == markup
