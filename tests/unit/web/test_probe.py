"""`/probe`: what is told of a registry, and to whom."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace
from starlette.testclient import TestClient

from support.database import a_database
from support.promtool import promtool
from support.read_model import NOW
from support.web_app import create_app
from weighbridge.domain.registry.rate_limit import Probe, RateLimit
from weighbridge.errors import StoreError, UsageError
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions
from weighbridge.web.routes.app import create_apps

WELL: Final = Probe(
    probed_at=NOW,
    failure="",
    seconds=0.25,
    is_encrypted=True,
    signs_in=False,
    requests={"ping": 2, "token": 1},
    bytes_read=120,
)


class FakeProber:
    """Tells what it is given, and remembers whom it was asked about."""

    def __init__(self, probe: Probe = WELL) -> None:
        self.probe = probe
        self.asked: list[str] = []

    async def __call__(self, name: str) -> Probe:
        self.asked.append(name)
        if name != "hub":
            raise UsageError("no such registry", code="unknown_registry")
        return self.probe


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with a_database(tmp_path) as opened:
        yield opened


@pytest.fixture
def prober() -> FakeProber:
    return FakeProber()


@pytest.fixture
def client(database: Database, prober: FakeProber) -> TestClient:
    app = create_app(database, Telemetry(), WebOptions(prober=prober))
    return TestClient(app, base_url="http://127.0.0.1:8080")


def values(text: str) -> dict[str, float]:
    found = re.findall(r"^weighbridge_probe_(\S+) (\S+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def test_a_registry_that_answers(client: TestClient) -> None:
    answer = client.get("/probe?target=hub")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert values(answer.text) == {
        "success": 1,
        "duration_seconds": 0.25,
        "timestamp_seconds": NOW.timestamp(),
        "tls": 1,
        "signs_in": 0,
        "response_bytes": 120,
        'requests{operation="ping"}': 2,
        'requests{operation="token"}': 1,
    }


def test_one_that_does_not_is_an_answer_too(
    client: TestClient, prober: FakeProber
) -> None:
    prober.probe = replace(
        WELL, failure="unauthorized", rate_limit=RateLimit(100, 7, None, NOW)
    )

    answer = client.get("/probe?target=hub")

    assert answer.status_code == 200
    told = values(answer.text)
    assert told["success"] == 0
    assert told['failure_info{code="unauthorized"}'] == 1
    assert (told["ratelimit_limit"], told["ratelimit_remaining"]) == (100, 7)


def test_a_limit_whose_rest_is_not_told_is_told_without_it(
    client: TestClient, prober: FakeProber
) -> None:
    prober.probe = replace(WELL, rate_limit=RateLimit(100, None, None, NOW))

    told = values(client.get("/probe?target=hub").text)

    assert told["ratelimit_limit"] == 100
    assert "ratelimit_remaining" not in told


def test_the_end_of_a_certificate_is_told(
    client: TestClient, prober: FakeProber
) -> None:
    prober.probe = replace(WELL, certified_until=NOW)

    told = values(client.get("/probe?target=hub").text)

    assert told["certificate_expiry_timestamp_seconds"] == NOW.timestamp()


def test_openmetrics_is_told_to_those_who_want_it(client: TestClient) -> None:
    accept = "application/openmetrics-text;version=1.0.0"

    answer = client.get("/probe?target=hub", headers={"accept": accept})

    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_promtool_finds_nothing_to_say(client: TestClient, prober: FakeProber) -> None:
    prober.probe = replace(WELL, failure="deadline", rate_limit=RateLimit(1, 1, 1, NOW))

    assert promtool(client.get("/probe?target=hub").content) == ""


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?target=other", "unknown_registry"),
        ("", "invalid_parameter"),
        ("?target=", "invalid_parameter"),
        ("?target=hub&target=hub", "repeated_parameter"),
        ("?target=hub&module=http_2xx", "unknown_parameter"),
    ],
    ids=["other", "none", "empty", "twice", "module"],
)
def test_anything_else_is_refused_in_the_one_shape(
    client: TestClient, query: str, code: str
) -> None:
    answer = client.get(f"/probe{query}")

    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == code
    assert set(error) == {"code", "message", "detail"}


def test_a_database_that_does_not_answer_says_nothing_about_the_registry(
    database: Database,
) -> None:
    async def broken(name: str) -> Probe:
        raise StoreError("no database", code="database_unavailable")

    app = create_app(database, Telemetry(), WebOptions(prober=broken))
    client = TestClient(app, base_url="http://127.0.0.1:8080")

    assert client.get("/probe?target=hub").status_code == 503


def test_who_reads_without_a_token_does_not_make_us_ask_others(
    database: Database, prober: FakeProber
) -> None:
    options = WebOptions(bind="0.0.0.0:8080", anonymous_read=True, prober=prober)
    app = create_app(database, Telemetry(), options)
    client = TestClient(app, base_url="http://127.0.0.1:8080")

    assert client.get("/metrics").status_code == 200
    assert client.get("/probe?target=hub").status_code == 401
    assert client.head("/probe?target=hub").status_code == 401
    refused = client.get("/probe?target=hub", headers={"accept": "text/html"})
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert refused.json()["error"]["code"] == "token_needed"
    assert prober.asked == []


def test_it_goes_with_the_metrics_where_they_have_a_listener_of_their_own(
    database: Database, prober: FakeProber
) -> None:
    options = WebOptions(metrics_bind="127.0.0.1:9090", prober=prober)
    apps = create_apps(database, Telemetry(), options)
    assert apps.metrics is not None
    web = TestClient(apps.web, base_url="http://127.0.0.1:8080")
    metrics = TestClient(apps.metrics, base_url="http://127.0.0.1:9090")

    assert web.get("/probe?target=hub").status_code == 404
    assert metrics.get("/probe?target=hub").status_code == 200


def test_where_nothing_is_configured_nobody_can_be_asked(database: Database) -> None:
    client = TestClient(
        create_app(database, Telemetry(), WebOptions()),
        base_url="http://127.0.0.1:8080",
    )

    answer = client.get("/probe?target=hub")

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "unknown_registry"
