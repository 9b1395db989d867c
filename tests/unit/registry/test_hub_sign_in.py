"""A password for a token, at the API's own address, and the token nowhere else."""

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.hub_client import API, AskingHub, asking_hub
from support.registry_client import IDENTITY, OWNER, error_answer, json_answer
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import AuthError, TransportError
from weighbridge.registry.kinds.dockerhub.hub_api import (
    TOKEN_LASTS_S,
    parse_hub_token,
)
from weighbridge.registry.login.credentials import Credential

PAGE = b'{"count":0,"next":null,"results":[]}'
Handler = Callable[[httpx.Request], httpx.Response]


class API2FA:
    """Gives a token for the owner's password, and pages for the last token."""

    def __init__(self) -> None:
        self.sign_ins: list[object] = []
        self.good = ""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v2/auth/token":
            self.sign_ins.append(json.loads(request.read()))
            self.good = f"jwt-{len(self.sign_ins)}"
            return json_answer(json.dumps({"access_token": self.good}))
        if request.headers.get("authorization") != f"Bearer {self.good}":
            return httpx.Response(401, json={"detail": "expired"})
        return json_answer(PAGE)


async def look(ask: AskingHub, repository: str = "acme/app") -> None:
    async for _ in ask.listings.tags(repository):
        pass


async def test_the_password_is_posted_once_and_the_token_shown_after_that() -> None:
    api = API2FA()
    ask = asking_hub(api, credential=OWNER)

    await look(ask)
    await look(ask)

    assert api.sign_ins == [{"identifier": "owner", "secret": "correct horse"}]
    first, *others = ask.api.requests
    assert (first.method, str(first.url)) == ("POST", f"{API}/v2/auth/token")
    assert first.headers["content-type"] == "application/json"
    assert "authorization" not in first.headers
    assert [r.headers["authorization"] for r in others] == ["Bearer jwt-1"] * 2
    assert ask.registry.requests == []


async def test_the_api_never_sees_an_identity_token_of_docker() -> None:
    ask = asking_hub(lambda _: json_answer(PAGE), credential=IDENTITY)

    await look(ask)

    assert ask.api.sent("authorization") == [None]
    assert [request.method for request in ask.api.requests] == ["GET"]


async def test_who_asks_at_the_same_time_waits_for_one_token() -> None:
    api = API2FA()
    ask = asking_hub(api, credential=OWNER)

    await asyncio.gather(*(look(ask, f"acme/r{n}") for n in range(6)))

    assert len(api.sign_ins) == 1


async def test_registry_auth_017_a_token_ends_by_the_clock() -> None:
    api = API2FA()
    ask = asking_hub(api, credential=OWNER)
    await look(ask)

    ask.time.advance(TOKEN_LASTS_S)
    await look(ask)

    assert len(api.sign_ins) == 2
    assert ask.api.sent("authorization")[-1] == "Bearer jwt-2"


async def test_a_token_that_is_refused_is_renewed_once() -> None:
    api = API2FA()
    ask = asking_hub(api, credential=OWNER)
    await look(ask)
    api.good = "revoked"

    await look(ask)

    assert len(api.sign_ins) == 2


async def test_registry_auth_016_a_401_for_ever_ends_after_one_new_token() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return json_answer('{"access_token":"jwt"}')
        return httpx.Response(401, json={})

    ask = asking_hub(handler, credential=OWNER)

    with pytest.raises(AuthError) as refused:
        await look(ask)

    assert refused.value.code == "unauthorized"
    assert len(ask.api.requests) == 2


@pytest.mark.parametrize("status", [401, 403])
async def test_a_password_that_is_refused_is_not_tried_again(status: int) -> None:
    ask = asking_hub(lambda _: httpx.Response(status, json={}), credential=OWNER)

    for _ in range(3):
        with pytest.raises(AuthError) as refused:
            await look(ask)

    assert refused.value.code == "unauthorized"
    assert "access token" in refused.value.hint
    assert len(ask.api.requests) == 1


async def test_nobody_signs_in_without_a_password() -> None:
    for credential in (None, Credential(token=Secret("own-token"))):
        ask = asking_hub(lambda _: json_answer(PAGE), credential=credential)

        await look(ask)

        assert ask.api.sent("authorization") == [None]


async def test_pages_follow_redirects_and_the_token_stays_at_its_origin() -> None:
    places = {
        "/v2/namespaces/acme/repositories/app/tags": f"{API}/moved",
        "/moved": "https://pages.example/x",
    }
    signed_in = API2FA()

    def api(request: httpx.Request) -> httpx.Response:
        if (place := places.get(request.url.path)) is not None:
            return httpx.Response(307, headers={"location": place})
        away = request.url.host == "pages.example"
        return json_answer(PAGE) if away else signed_in(request)

    ask = asking_hub(api, credential=OWNER)

    await look(ask)

    shown = [(r.url.host, r.headers.get("authorization")) for r in ask.api.requests]
    assert shown == [
        ("hub.example", None),
        ("hub.example", "Bearer jwt-1"),
        ("hub.example", "Bearer jwt-1"),
        ("pages.example", None),
    ]


async def test_a_page_that_leads_out_of_https_is_refused() -> None:
    elsewhere = httpx.Response(302, headers={"location": "http://pages.example/x"})
    ask = asking_hub(lambda _: elsewhere)

    with pytest.raises(TransportError) as refused:
        await look(ask)

    assert refused.value.code == "redirect_refused"
    assert len(ask.api.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_registry_auth_013_a_password_follows_no_redirect(status: int) -> None:
    elsewhere = {"location": "http://127.0.0.1:1/steal"}
    ask = asking_hub(
        lambda _: httpx.Response(status, headers=elsewhere), credential=OWNER
    )

    with pytest.raises(AuthError) as refused:
        await look(ask)

    assert refused.value.code == "auth_error"
    assert len(ask.api.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        json_answer("{}"),
        json_answer('{"access_token":null}'),
        json_answer('{"access_token":"abc\\r\\nX-Evil: 1"}'),
        json_answer("not json canary-secret"),
        json_answer(b" " * 100_000),
        error_answer(404, "NOT_FOUND"),
        error_answer(400, "BAD"),
    ],
    ids=["none", "null", "line end", "no JSON", "too long", "404", "400"],
)
async def test_registry_auth_019_020_an_answer_without_a_token(
    answer: httpx.Response,
) -> None:
    ask = asking_hub(lambda _: answer, credential=OWNER)

    with pytest.raises(AuthError) as refused:
        await look(ask)

    assert refused.value.code == "auth_error"
    told = refused.value.message + refused.value.hint
    assert "canary" not in told
    assert "correct horse" not in told


@given(st.binary(max_size=100))
def test_any_answer_is_a_token_or_our_error(raw: bytes) -> None:
    try:
        token = parse_hub_token(raw).reveal()
    except AuthError:
        return
    assert token.isascii()
    assert token.isprintable()
