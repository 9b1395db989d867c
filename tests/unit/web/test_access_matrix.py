"""api-010: every route, asked with every kind of token, however it is reached."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from support.database import a_database
from support.read_model import NOW
from support.tokens import a_token, bearer
from weighbridge.domain.access import new_secret
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.app import create_app, create_apps
from weighbridge.web.options import WebOptions
from weighbridge.web.rights import RIGHTS

pytestmark = pytest.mark.slow

UNLISTED: Final = "/api/v1/unlisted"
"""A route that writes and has no entry in the table, as a new one might."""
HOW_REACHED: Final[Mapping[str, WebOptions]] = {
    "loopback": WebOptions(),
    "network": WebOptions(bind="0.0.0.0:8080"),
    "proxied": WebOptions(external_url="https://weighbridge.example"),
    "open": WebOptions(bind="0.0.0.0:8080", anonymous_read=True),
}
WITH: Final = (
    "none",
    "wrong",
    "revoked",
    "expired",
    "read",
    "metrics",
    "admin",
    "webhook:harbor",
)
IS_OPEN: Final = frozenset({"loopback", "open"})
"""Where reading needs no token."""
ENOUGH: Final[Mapping[str, frozenset[str]]] = {
    "none": frozenset(WITH),
    "read": frozenset({"read", "admin"}),
    "metrics": frozenset({"metrics", "admin"}),
    "admin": frozenset({"admin"}),
}
"""By what a route needs: with which token it is answered. Written down once more, so
that a slip in the rules is no slip in the test."""


def expected(reached: str, needed: str, token: str) -> int | None:
    """The status of a refusal, None where it is answered."""
    if needed in ("read", "metrics") and reached in IS_OPEN:
        return None
    if token in ENOUGH[needed]:
        return None
    return 401 if token in ("none", "wrong", "revoked", "expired") else 403


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with a_database(tmp_path_factory.mktemp("access")) as opened:
        yield opened


@pytest.fixture(scope="module")
def sent(database: Database) -> Mapping[str, Mapping[str, str]]:
    """The headers of each kind of token."""
    day = timedelta(days=1)
    texts = {
        "wrong": new_secret("admin", b"\xff" * 32).reveal(),
        "revoked": a_token(database, "admin", NOW, is_revoked=True),
        "expired": a_token(database, "admin", NOW - day, expires_in=day),
        **{role: a_token(database, role, NOW) for role in WITH[4:]},
    }
    return {"none": {}, **{kind: bearer(text) for kind, text in texts.items()}}


@pytest.fixture(scope="module")
def clients(
    database: Database, sent: Mapping[str, Mapping[str, str]]
) -> Mapping[str, TestClient]:
    """One for each way in which the service is reached, once there are tokens."""
    assert sent
    made: dict[str, TestClient] = {}
    for reached, options in HOW_REACHED.items():
        app = create_app(database, Telemetry(), options, now=lambda: NOW)
        app.add_api_route(
            UNLISTED, lambda: "written", methods=["POST"], include_in_schema=False
        )
        made[reached] = TestClient(app, base_url="http://127.0.0.1:8080")
    return made


def asked(client: TestClient, template: str, headers: Mapping[str, str]) -> int:
    if template == UNLISTED:
        return client.post(UNLISTED, headers=headers).status_code
    path = template.replace("{pass_id}", "1")
    if template == "/static":
        path = "/static/app.js"
    return client.get(path, headers=headers).status_code


@pytest.mark.parametrize("token", WITH)
@pytest.mark.parametrize("reached", sorted(HOW_REACHED))
def test_every_route_answers_those_whose_role_is_enough__api_010(
    clients: Mapping[str, TestClient],
    sent: Mapping[str, Mapping[str, str]],
    reached: str,
    token: str,
) -> None:
    client = clients[reached]
    rights: dict[str, str] = {**RIGHTS, UNLISTED: "admin"}

    statuses = {path: asked(client, path, sent[token]) for path in rights}

    refused = {p: s if s in (401, 403) else None for p, s in statuses.items()}
    assert refused == {
        path: expected(reached, needed, token) for path, needed in rights.items()
    }
    assert not [path for path, status in statuses.items() if status >= 500]
    assert statuses[UNLISTED] == (200 if token == "admin" else refused[UNLISTED])


def test_every_route_has_its_right_and_only_reads(database: Database) -> None:
    plain = create_apps(database, Telemetry(), WebOptions())
    options = WebOptions(metrics_bind="127.0.0.1:9090")
    apart = create_apps(database, Telemetry(), options)
    assert apart.metrics is not None

    routes = {getattr(route, "path", ""): route for route in plain.web.routes}
    others = [*apart.web.routes, *apart.metrics.routes]

    assert routes.keys() == RIGHTS.keys()
    assert {getattr(route, "path", "") for route in others} == RIGHTS.keys()
    for route in (*routes.values(), *others):
        if isinstance(route, APIRoute):
            assert route.methods == {"GET"}


@pytest.mark.parametrize("role", ["read", "metrics", "webhook:harbor"])
def test_no_token_but_an_admins_writes_anything__api_010(
    clients: Mapping[str, TestClient],
    sent: Mapping[str, Mapping[str, str]],
    role: str,
) -> None:
    for client in clients.values():
        assert client.post(UNLISTED, headers=sent[role]).status_code == 403


@pytest.mark.parametrize("reached", sorted(HOW_REACHED))
def test_where_nothing_is_everybody_is_told_the_same(
    clients: Mapping[str, TestClient],
    sent: Mapping[str, Mapping[str, str]],
    reached: str,
) -> None:
    client = clients[reached]

    answers = [client.get("/api/v1/none", headers=sent[token]) for token in WITH]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
