"""Whom the headers of a sign-in proxy let in, and from which addresses."""

from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from support.many_repositories import add_repositories
from support.read_model import NOW
from support.teams import team_policies
from support.tokens import a_token, bearer
from support.web_app import create_app
from weighbridge.domain.access.principal import Principal
from weighbridge.domain.access.sign_in import SignInProxy
from weighbridge.store.access import acts
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions
from weighbridge.web.request.answers import Refusal
from weighbridge.web.request.bodies import form_fields
from weighbridge.web.views.frame import who_line

POLICIES = team_policies({"shop/*": "shop", "web/*": "web"})
OPTIONS = WebOptions(
    bind="0.0.0.0:8080",
    trusted_proxies=(ip_network("10.0.0.7/32"), ip_network("fd00:1::/64")),
    auth_proxy=SignInProxy("x-user", "x-groups", frozenset({"ops"})),
    policies=lambda: POLICIES,
)
ALICE = {"x-user": "alice@example.org", "x-groups": "shop,everyone"}
ADMIN = {"x-user": "olga@example.org", "x-groups": "ops"}
LIST = "/api/v1/repositories"


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


class Service:
    """Asked from any address."""

    def __init__(
        self, database: Database, telemetry: Telemetry, options: WebOptions = OPTIONS
    ) -> None:
        self._app = create_app(database, telemetry, options, now=lambda: NOW)

    def from_(self, peer: str) -> TestClient:
        return TestClient(
            self._app, base_url="http://weighbridge.example", client=(peer, 4711)
        )


@pytest.fixture
def service(database: Database, telemetry: Telemetry) -> Service:
    add_repositories(database, ["shop/a", "web/a", "nobody/a"])
    return Service(database, telemetry)


def refused(telemetry: Telemetry, reason: str) -> float | None:
    return telemetry.registry.get_sample_value(
        "weighbridge_sign_ins_refused_total", {"reason": reason}
    )


def names(client: TestClient, headers: Mapping[str, str]) -> list[str]:
    answer = client.get(LIST, headers=dict(headers))
    assert answer.status_code == 200, answer.text
    return sorted(row["repository"] for row in answer.json()["items"])


def test_refusals_are_counted_from_0_on(service: Service, telemetry: Telemetry) -> None:
    """Else Prometheus sees no increase by the first ones."""
    service.from_("10.0.0.7").get("/healthz")

    assert (refused(telemetry, "stranger"), refused(telemetry, "invalid")) == (0, 0)


@pytest.mark.parametrize("peer", ["10.0.0.7", "::ffff:10.0.0.7", "fd00:1::9"])
def test_a_person_sees_their_teams_and_an_admin_sees_all(
    service: Service, peer: str
) -> None:
    client = service.from_(peer)

    assert names(client, ALICE) == ["shop/a"]
    assert names(client, ALICE | {"x-groups": "shop,web"}) == ["shop/a", "web/a"]
    assert names(client, ADMIN) == ["nobody/a", "shop/a", "web/a"]


@pytest.mark.parametrize(
    "peer", ["10.0.0.8", "127.0.0.1", "::1", "fd00:2::9", "testclient", ""]
)
@pytest.mark.parametrize("headers", [ADMIN, {"X-USER": "a"}, {"x-groups": ""}])
def test_the_same_headers_from_a_stranger_are_refused_and_counted(
    service: Service, telemetry: Telemetry, peer: str, headers: dict[str, str]
) -> None:
    answer = service.from_(peer).get(LIST, headers=headers)

    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "untrusted_sign_in"
    assert refused(telemetry, "stranger") == 1


def test_a_strangers_header_does_not_come_in_beside_a_token(
    service: Service, database: Database
) -> None:
    headers = ADMIN | bearer(a_token(database, "read", NOW))

    assert service.from_("10.0.0.8").get(LIST, headers=headers).status_code == 403


def test_who_is_forwarded_for_does_not_make_a_stranger_the_proxy(
    service: Service,
) -> None:
    headers = ADMIN | {"x-forwarded-for": "10.0.0.7", "forwarded": "for=10.0.0.7"}

    assert service.from_("10.0.0.8").get(LIST, headers=headers).status_code == 403


def test_a_header_that_can_be_read_in_two_ways_is_refused(
    service: Service, telemetry: Telemetry
) -> None:
    sent = [("x-user", "alice"), ("x-groups", "shop"), ("x-groups", "ops")]

    answer = service.from_("10.0.0.7").get(LIST, headers=sent)

    assert (answer.status_code, answer.json()["error"]["code"]) == (
        400,
        "invalid_sign_in",
    )
    assert refused(telemetry, "invalid") == 1


@pytest.mark.parametrize("headers", [{}, {"x-groups": "ops"}, {"x-user": ""}])
def test_the_proxy_without_a_name_needs_a_token(
    service: Service, database: Database, headers: dict[str, str]
) -> None:
    bearer(a_token(database, "read", NOW))
    client = service.from_("10.0.0.7")

    assert client.get(LIST, headers=headers).status_code == 401


def test_a_token_still_opens_the_door_beside_the_proxy(
    service: Service, database: Database
) -> None:
    token = bearer(a_token(database, "read", NOW))

    assert len(names(service.from_("10.0.0.8"), token)) == 3


def test_a_person_in_no_team_gets_a_page_that_says_so(service: Service) -> None:
    headers = {"x-user": "eve@example.org", "x-groups": "everyone"}
    client = service.from_("10.0.0.7")

    page = client.get("/", headers=headers | {"accept": "text/html"})
    api = client.get(LIST, headers=headers)

    assert (page.status_code, api.status_code) == (403, 403)
    assert "eve@example.org is signed in and in no team" in page.text
    assert api.json()["error"]["code"] == "no_team"
    assert "shop" not in page.text + api.text


def test_only_admins_write_and_what_they_did_has_their_name(
    service: Service, database: Database
) -> None:
    wish = {
        "registry": "*",
        "repository": "shop/a",
        "reason": "until it is smaller",
        "expires_at": "2027-01-31",
    }
    client = service.from_("10.0.0.7")

    little = client.post("/api/v1/waivers", json=wish, headers=ALICE)
    done = client.post("/api/v1/waivers", json=wish, headers=ADMIN)
    foreign = client.post(
        "/api/v1/waivers", json=wish, headers=ADMIN | {"sec-fetch-site": "cross-site"}
    )

    assert (little.status_code, done.status_code, foreign.status_code) == (
        403,
        201,
        403,
    )
    with database.read() as connection:
        kept = [(act.act, act.actor) for act in acts(connection)]
    assert kept == [("waiver.create", "user:olga@example.org")]


def test_without_auth_proxy_the_headers_say_nothing(database: Database) -> None:
    options = WebOptions(bind="0.0.0.0:8080", trusted_proxies=OPTIONS.trusted_proxies)
    a_token(database, "read", NOW)
    client = Service(database, Telemetry(), options).from_("10.0.0.7")

    assert client.get(LIST, headers=ADMIN).status_code == 401


def test_what_needs_nobody_ignores_them(service: Service) -> None:
    assert service.from_("10.0.0.8").get("/healthz", headers=ADMIN).status_code == 200


def test_nobody_keeps_what_a_person_was_shown(service: Service) -> None:
    answer = service.from_("10.0.0.7").get(LIST, headers=ALICE)

    assert answer.headers["cache-control"] == "no-store"


def test_a_page_says_who_asks_and_what_they_may(
    service: Service, database: Database
) -> None:
    token = bearer(a_token(database, "read", NOW))
    hostile = ADMIN | {"x-user": "<b>olga</b>"}

    admin = service.from_("10.0.0.7").get("/bases", headers=ADMIN).text
    escaped = service.from_("10.0.0.7").get("/bases", headers=hostile).text
    program = service.from_("10.0.0.8").get("/bases", headers=token).text

    assert "<span data-who>olga@example.org, sees all and may change it</span>" in admin
    assert "<span data-who>&lt;b&gt;olga&lt;/b&gt;, sees all" in escaped
    assert "<span data-who>read-1, sees all</span>" in program


def test_a_page_says_nothing_where_it_is_not_known_who_asks(client: TestClient) -> None:
    assert "data-who" not in client.get("/bases").text


def test_what_a_member_of_teams_sees_is_said_in_words() -> None:
    shop = Principal("user:alice", "read", frozenset({"web", "shop"}))

    assert who_line(shop) == "alice, sees shop and web"


FORM = {
    "registry": "hub",
    "repository": "shop/a",
    "tag": "",
    "limit_key": "",
    "reason": "until it is smaller",
    "expires_at": "2027-01-31",
}


def test_a_waiver_by_the_form_of_the_page_has_the_name_of_who_signed_in(
    service: Service,
) -> None:
    client = service.from_("10.0.0.7")
    here = ADMIN | {"sec-fetch-site": "same-origin"}

    done = client.post("/waivers", data=FORM, headers=here, follow_redirects=False)
    page = client.get("/violations", headers=ADMIN).text

    assert (done.status_code, done.headers["location"]) == (303, "/violations")
    assert 'action="/waivers"' in page
    assert "by user:olga@example.org" in page
    assert "until it is smaller" in page


@pytest.mark.parametrize(
    ("changes", "who", "status"),
    [
        ({}, ALICE, 403),
        ({}, {}, 401),
        ({}, ADMIN | {"sec-fetch-site": "cross-site"}, 403),
        ({}, ADMIN | {"origin": "https://evil.example"}, 403),
        ({"reason": ""}, ADMIN, 422),
        ({"expires_at": "soon"}, ADMIN, 422),
        ({"registry": "absent"}, ADMIN, 404),
        ({"limit_key": "max_none"}, ADMIN, 422),
        ({"more": "x"}, ADMIN, 422),
    ],
)
def test_what_is_no_waiver_of_an_admin_changes_nothing(
    service: Service,
    database: Database,
    changes: dict[str, str],
    who: dict[str, str],
    status: int,
) -> None:
    client = service.from_("10.0.0.7")

    answer = client.post("/waivers", data=FORM | changes, headers=who)

    assert answer.status_code == status, answer.text
    with database.read() as connection:
        assert acts(connection) == []


@given(st.binary(max_size=60) | st.from_regex(rb"([a-z_]+=[a-z%0-9]*&?)*"))
def test_any_body_is_a_form_or_is_refused(body: bytes) -> None:
    with suppress(Refusal):
        fields = form_fields(body, {"reason"}, {"tag"})

        assert fields["reason"]
        assert fields.keys() <= {"reason", "tag"}
