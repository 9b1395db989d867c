"""api-010: every route, asked with every kind of token, however it is reached."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Final

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.testclient import TestClient

from support.database import a_database
from support.read_model import NOW
from support.tokens import a_token, bearer
from support.web_app import create_app
from weighbridge.domain.access.roles import new_secret
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions
from weighbridge.web.request.answers import methods_of
from weighbridge.web.routes.app import RIGHTS, create_apps

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
    "probe": frozenset({"metrics", "admin"}),
    "admin": frozenset({"admin"}),
}
"""By what a route needs: with which token it is answered. Written down once more, so
that a slip in the rules is no slip in the test."""


def written(_: Request) -> Response:
    return PlainTextResponse("written")


def expected(reached: str, needed: str, token: str) -> int | None:
    """The status of a refusal, None where it is answered."""
    if needed in ("read", "metrics") and reached in IS_OPEN:
        return None
    if needed == "probe" and reached == "loopback":
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
        app.add_route(UNLISTED, written, methods=["POST"])
        made[reached] = TestClient(app, base_url="http://127.0.0.1:8080")
    return made


ALL: Final[Mapping[tuple[str, str], str]] = {
    **RIGHTS.roles,
    ("POST", UNLISTED): "admin",
}
"""By method and template: what each route needs."""
WRITES: Final = {route: role for route, role in ALL.items() if route[0] != "GET"}


def asked(
    client: TestClient, route: tuple[str, str], headers: Mapping[str, str]
) -> int:
    method, template = route
    path = "/static/app.js" if template == "/static" else template
    path = re.sub(r"\{\w+\}", "1", path)
    return client.request(method, path, headers=headers).status_code


@pytest.mark.parametrize("token", WITH)
@pytest.mark.parametrize("reached", sorted(HOW_REACHED))
def test_every_route_answers_those_whose_role_is_enough__api_010(
    clients: Mapping[str, TestClient],
    sent: Mapping[str, Mapping[str, str]],
    reached: str,
    token: str,
) -> None:
    client = clients[reached]

    statuses = {route: asked(client, route, sent[token]) for route in ALL}

    refused = {p: s if s in (401, 403) else None for p, s in statuses.items()}
    assert refused == {
        route: expected(reached, needed, token) for route, needed in ALL.items()
    }
    assert not [route for route, status in statuses.items() if status >= 500]
    unlisted = ("POST", UNLISTED)
    assert statuses[unlisted] == (200 if token == "admin" else refused[unlisted])


def test_every_route_has_its_right_for_its_one_method(database: Database) -> None:
    plain = create_apps(database, Telemetry(), WebOptions())
    options = WebOptions(metrics_bind="127.0.0.1:9090")
    apart = create_apps(database, Telemetry(), options)
    assert apart.metrics is not None

    assert asked_of(plain.web.routes) == RIGHTS.roles.keys()
    assert asked_of([*apart.web.routes, *apart.metrics.routes]) == RIGHTS.roles.keys()


def asked_of(routes: Iterable[BaseRoute]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for route in routes:
        (method,) = methods_of(route) or {"GET"}  # a folder of files has none
        found.add((method, getattr(route, "path", "")))
    return found


def test_what_needs_no_token_is_known_by_name() -> None:
    assert {route for route, needed in ALL.items() if needed == "none"} == {
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/static"),
        ("POST", "/webhooks/{source}"),
        ("POST", "/webhooks/{source}/{secret}"),
    }


def test_nothing_that_writes_is_open_to_readers() -> None:
    assert set(WRITES.values()) == {"admin", "none"}


def test_a_route_of_two_roles_is_for_admins_alone() -> None:
    path = "/api/v1/waivers"

    assert RIGHTS.role_of(Route(path, written, methods=["GET"])) == "read"
    assert RIGHTS.role_of(Route(path, written, methods=["GET", "POST"])) == "admin"
    assert RIGHTS.role_of(Route(path, written, methods=["PUT"])) == "admin"


@pytest.mark.parametrize("role", ["read", "metrics", "webhook:harbor"])
def test_no_token_but_an_admins_writes_anything__api_010(
    clients: Mapping[str, TestClient],
    sent: Mapping[str, Mapping[str, str]],
    role: str,
) -> None:
    of_admins = [route for route, needed in WRITES.items() if needed == "admin"]
    for client in clients.values():
        for route in (*of_admins, ("POST", UNLISTED)):
            assert asked(client, route, sent[role]) == 403


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
