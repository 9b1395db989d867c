"""What kind a registry is told by its answers, and what it is asked for that."""

import re
from collections.abc import Mapping
from typing import Final

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.fake_clock import FakeClock
from support.handler_connections import HandlerConnections
from support.registry_client import (
    OWNER,
    REGISTRY_URL,
    an_endpoint,
    error_answer,
    json_answer,
)
from weighbridge.errors import RegistryError, TransportError
from weighbridge.registry.client import RegistryClient
from weighbridge.registry.exchange.kind_signs import KindProbe, KindSigns
from weighbridge.registry.kinds.kind_table import REGISTRY_KINDS
from weighbridge.registry.recognition import Recognised, recognise
from weighbridge.telemetry import Telemetry

Answers = Mapping[str, httpx.Response]
SIGNS: Final = {
    "plain": KindSigns(),
    "harbour": KindSigns(
        services=frozenset({"harbour-registry"}),
        probe=KindProbe(
            "/api/info", lambda body: "harbour_version" in body, "its version"
        ),
    ),
    "lab": KindSigns(
        realm=re.compile(r"https?://[^/]+/jwt/auth"),
        headers=frozenset({"lab-registry-version"}),
    ),
    "wharf": KindSigns(
        probe=KindProbe("/discovery", lambda body: body.get("title") == "Wharf", "it")
    ),
}


def challenge(value: str) -> httpx.Response:
    answer = error_answer(401, "UNAUTHORIZED")
    answer.headers["www-authenticate"] = value
    return answer


async def found(
    answers: Answers, signs: Mapping[str, KindSigns] = SIGNS
) -> tuple[Recognised, HandlerConnections]:
    def handle(request: httpx.Request) -> httpx.Response:
        return answers.get(request.url.path, httpx.Response(404))

    connections = HandlerConnections(handle)
    client = RegistryClient(
        an_endpoint(credential=OWNER), connections, Telemetry(), FakeClock().clock
    )
    try:
        return await recognise(client, REGISTRY_URL, signs), connections
    finally:
        await client.aclose()


@pytest.mark.parametrize(
    ("said", "kind", "sign"),
    [
        (
            challenge('Bearer realm="https://lab.example/jwt/auth?a=b",service="x"'),
            "lab",
            "/v2/ names the token server https://lab.example/jwt/auth",
        ),
        (
            json_answer("{}", lab_registry_version="4.1"),
            "lab",
            "/v2/ answers with lab-registry-version: 4.1",
        ),
    ],
)
async def test_v2_alone_may_show_a_kind(
    said: httpx.Response, kind: str, sign: str
) -> None:
    recognised, connections = await found({"/v2/": said})

    assert recognised == Recognised(kind, sign)
    assert connections.paths == ["/v2/"]


HARBOURS: Final = challenge(
    'Bearer realm="https://h.example/token",service="harbour-registry"'
)


async def test_a_kind_with_an_api_is_taken_where_that_answers_too() -> None:
    info = json_answer('{"harbour_version":"2"}')

    recognised, connections = await found({"/v2/": HARBOURS, "/api/info": info})

    told = "/v2/ asks to sign in to the service harbour-registry"
    assert recognised == Recognised("harbour", told)
    assert connections.paths == ["/v2/", "/api/info"]


async def test_a_host_that_passes_on_v2_alone_is_not_the_kind_behind_it() -> None:
    page = httpx.Response(404, html="<p>nothing here</p>")

    recognised, connections = await found({"/v2/": HARBOURS, "/api/info": page})

    assert recognised.kind is None
    assert "harbour-registry, but /api/info does not" in recognised.sign
    assert connections.paths == ["/v2/", "/api/info"]


async def test_a_probe_shows_what_v2_does_not() -> None:
    answers = {
        "/v2/": json_answer("{}"),
        "/discovery": json_answer('{"title":"Wharf"}'),
    }

    recognised, connections = await found(answers)

    assert recognised == Recognised("wharf", "GET /discovery answers: it")
    assert connections.paths == ["/v2/", "/api/info", "/discovery"]


@pytest.mark.parametrize(
    "body",
    [
        json_answer("[]"),
        json_answer('{"title": 3}'),
        json_answer("{"),
        httpx.Response(
            200, content="<html></html>", headers={"content-type": "text/html"}
        ),
        error_answer(401, "UNAUTHORIZED"),
        httpx.Response(501),
        httpx.Response(201, json={"title": "Wharf"}),
    ],
)
async def test_another_answer_to_a_probe_shows_nothing(body: httpx.Response) -> None:
    recognised, _ = await found({"/v2/": json_answer("{}"), "/discovery": body})

    assert recognised == Recognised(
        None, "its answers show no other kind: /v2/ and /api/info, /discovery"
    )


async def test_nobody_is_shown_a_credential() -> None:
    _, connections = await found({"/v2/": challenge('Basic realm="x"')})

    assert connections.sent("authorization") == [None, None, None]
    assert {request.url.host for request in connections.requests} == {
        "registry.example"
    }


async def test_what_another_host_says_shows_nothing() -> None:
    away = httpx.Response(307, headers={"location": "https://other.example/there"})
    there = json_answer("{}", lab_registry_version="4.1")

    recognised, _ = await found({"/v2/": away, "/there": there})

    assert recognised.kind is None


async def test_a_probe_that_leads_nowhere_shows_nothing() -> None:
    in_circles = httpx.Response(302, headers={"location": "/api/info"})

    recognised, _ = await found({"/v2/": json_answer("{}"), "/api/info": in_circles})

    assert recognised.kind is None


async def test_no_more_than_four_probes_are_sent() -> None:
    def probing(number: int) -> KindSigns:
        return KindSigns(probe=KindProbe(f"/p{number}", lambda _: False, ""))

    signs = {f"k{number}": probing(number) for number in range(6)}

    _, connections = await found({"/v2/": json_answer("{}")}, signs)

    assert connections.paths == ["/v2/", "/p0", "/p1", "/p2", "/p3"]


async def test_a_challenge_that_cannot_be_read_shows_nothing() -> None:
    recognised, _ = await found({"/v2/": challenge("Bearer realm=, =")})

    assert recognised.kind is None


@given(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=80))
async def test_any_challenge_is_read_or_passed_over(value: str) -> None:
    said = httpx.Response(401, headers=[(b"www-authenticate", value.encode("latin-1"))])

    recognised, _ = await found({"/v2/": said}, {"lab": SIGNS["lab"]})

    assert recognised.kind in (None, "lab")


async def test_a_registry_that_is_away_shows_nothing_and_is_asked_once() -> None:
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        raise httpx.ConnectError("no", request=request)

    client = RegistryClient(
        an_endpoint(), HandlerConnections(handle), Telemetry(), FakeClock().clock
    )

    with pytest.raises(TransportError):
        await recognise(client, REGISTRY_URL, SIGNS)

    assert asked == ["/v2/"]


@pytest.mark.parametrize("path", ["/v2/", "/api/info"])
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_may_be_over_soon_is_asked_again_and_shows_nothing(
    path: str, status: int
) -> None:
    """Else a registry that is busy would be taken for a plain one from then on."""
    answers = {"/v2/": json_answer("{}"), path: httpx.Response(status)}

    with pytest.raises(RegistryError):
        await found(answers)


async def test_a_page_for_people_is_no_registry() -> None:
    page = httpx.Response(200, content="<p>", headers={"content-type": "text/html"})

    with pytest.raises(RegistryError) as raised:
        await found({"/v2/": page})

    assert raised.value.code == "not_a_registry"


def test_signs_are_of_one_kind_each() -> None:
    services = [s for kind in REGISTRY_KINDS.values() for s in kind.signs.services]
    headers = [h for kind in REGISTRY_KINDS.values() for h in kind.signs.headers]

    assert len(services) == len(set(services))
    assert len(headers) == len(set(headers))
    assert all(header == header.lower() for header in headers)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (
            "dockerhub",
            'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"',
        ),
        ("dockerhub", 'Bearer realm="https://auth.docker.io/token",service="mirror"'),
        ("quay", 'Bearer realm="https://quay.io/v2/auth",service="quay.io"'),
        ("google", 'Bearer realm="https://gcr.io/v2/token",service="gcr.io"'),
        (
            "gitlab",
            'Bearer realm="https://lab.example/jwt/auth",service="container_registry"',
        ),
        (None, 'Bearer realm="https://auth.example/token",service="registry"'),
        (None, 'Basic realm="Registry Realm"'),
    ],
)
async def test_real_challenges_show_their_kind(kind: str | None, value: str) -> None:
    signs = {name: of_kind.signs for name, of_kind in REGISTRY_KINDS.items()}

    described = json_answer('{"info":{"title":"Quay Frontend"}}')
    answers = {"/v2/": challenge(value), "/api/v1/discovery": described}
    if kind is None:
        del answers["/api/v1/discovery"]
    recognised, _ = await found(answers, signs)

    assert recognised.kind == kind
