"""`metrics.bind`: metrics on a listener of their own, and nothing else there."""

import pytest
from msgspec.structs import replace
from starlette.testclient import TestClient

from support.read_model import NOW
from support.store_world import World
from support.tokens import a_token, bearer
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions
from weighbridge.web.routes.app import RIGHTS, create_apps

METRICS = ("/metrics", "/metrics/repositories")
LOCAL = WebOptions(metrics_bind="127.0.0.1:9090")


def clients(database: Database, options: WebOptions) -> tuple[TestClient, TestClient]:
    """Of pages and API, and of metrics."""
    apps = create_apps(database, Telemetry(), options, now=lambda: NOW)
    assert apps.metrics is not None
    return (
        TestClient(apps.web, base_url="http://127.0.0.1:8080"),
        TestClient(apps.metrics, base_url="http://127.0.0.1:9090"),
    )


def test_metrics_are_served_there_and_no_longer_beside_the_pages(world: World) -> None:
    web, metrics = clients(world.database, LOCAL)

    for path in METRICS:
        assert metrics.get(path).status_code == 200
        assert web.get(path).status_code == 404
    assert "weighbridge_build_info" in metrics.get("/metrics").text
    assert web.get("/api/v1/registries").status_code == 200


def test_nothing_else_is_reachable_there__metrics_007(database: Database) -> None:
    admin = a_token(database, "admin", NOW)
    options = replace(LOCAL, metrics_bind="0.0.0.0:9090")
    _, metrics = clients(database, options)

    served = {
        path
        for method, path in RIGHTS.roles
        if method == "GET"
        and metrics.get(path, headers=bearer(admin)).status_code != 404
    }

    assert served == {"/healthz", "/probe", *METRICS}
    assert metrics.get("/static/app.js", headers=bearer(admin)).status_code == 404
    assert metrics.post("/metrics", headers=bearer(admin)).status_code == 405


def test_what_others_can_reach_needs_a_token_for_metrics__metrics_007(
    database: Database,
) -> None:
    token = a_token(database, "metrics", NOW)
    read = a_token(database, "read", NOW)
    web, metrics = clients(database, replace(LOCAL, metrics_bind="0.0.0.0:9090"))

    for path in METRICS:
        assert metrics.get(path).status_code == 401
        assert metrics.get(path, headers=bearer(read)).status_code == 403
        assert metrics.get(path, headers=bearer(token)).status_code == 200
    assert metrics.get("/healthz").status_code == 200
    # Pages are on loopback still.
    assert web.get("/").status_code == 200


def test_metrics_on_loopback_are_open_while_pages_need_a_token(
    database: Database,
) -> None:
    a_token(database, "read", NOW)
    web, metrics = clients(database, replace(LOCAL, bind="0.0.0.0:8080"))

    assert web.get("/").status_code == 401
    assert metrics.get("/metrics").status_code == 200
    foreign = metrics.get("/metrics", headers={"host": "evil.example"})
    assert foreign.status_code == 421


@pytest.mark.parametrize("path", [*METRICS, "/healthz", "/none"])
def test_every_answer_there_has_the_security_headers(
    database: Database, path: str
) -> None:
    _, metrics = clients(database, LOCAL)

    headers = metrics.get(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert not [name for name in headers if name.startswith("access-control-")]
