"""The loop over redirects, on httpx's own mock of a transport."""

import asyncio
import errno
from collections.abc import Callable

import httpx
import pytest
from msgspec.structs import replace

from support.asking import a_request
from support.handler_connections import HandlerConnections
from weighbridge.errors import AddressRefused, RegistryError, TransportError
from weighbridge.net.failure import request_failures
from weighbridge.net.failure.request_failures import our_errors
from weighbridge.net.guard.addresses import Reach
from weighbridge.net.http1.head import HTTPRequest
from weighbridge.net.transport import follow

_HOME = "https://r.example/v2/a/blobs/b"
_AWAY = "https://s.example/blob"
_SECRET = (("Authorization", "Bearer canary"), ("X-Registry-Auth", "canary"))


class _Site:
    """Answers by URL, and keeps every request."""

    def __init__(self, answers: dict[str, httpx.Response]) -> None:
        self.requests: list[httpx.Request] = []
        self._answers = answers

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._answers.get(str(request.url), httpx.Response(200))


def _to(location: str, status: int = 307) -> httpx.Response:
    return httpx.Response(status, headers={"Location": location})


async def _follow(
    site: Callable[[httpx.Request], httpx.Response], ask: HTTPRequest
) -> int:
    """The status at the end."""
    return (await follow(HandlerConnections(site), ask))[0].status


async def _asks(
    site: _Site, ask: HTTPRequest, trusted: frozenset[str] = frozenset()
) -> list[HTTPRequest]:
    connections = HandlerConnections(site)
    await follow(connections, ask, trusted)
    return connections.asks


async def test_identity_is_asked_for_and_host_is_set_at_each_hop() -> None:
    site = _Site({_HOME: _to("https://s.example:8443/blob")})
    ask = a_request(_HOME, headers=(("Accept-Encoding", "gzip"), ("Host", "forged")))

    await _follow(site, ask)

    hosts = [request.headers.get_list("Host") for request in site.requests]
    encodings = [r.headers.get_list("Accept-Encoding") for r in site.requests]
    assert hosts == [["r.example"], ["s.example:8443"]]
    assert encodings == [["identity"], ["identity"]]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_every_redirect_keeps_method_and_range(status: int, method: str) -> None:
    site = _Site({_HOME: _to(_AWAY, status)})

    await _follow(
        site, a_request(_HOME, method=method, headers=(("Range", "bytes=0-7"),))
    )

    assert [request.method for request in site.requests] == [method, method]
    assert site.requests[1].headers["Range"] == "bytes=0-7"


async def test_another_origin_is_told_no_more_than_it_needs() -> None:
    site = _Site({_HOME: _to(_AWAY)})
    headers = (("Accept", "a/b"), ("User-Agent", "u"), ("X-Extra", "canary"))

    await _follow(site, a_request(_HOME, headers=headers, secret_headers=_SECRET))

    told = {name.lower() for name, _ in site.requests[1].headers.raw}
    assert told == {b"host", b"accept-encoding", b"accept", b"user-agent"}


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://s.example/v2/a/blobs/b",
        "https://r.example:8443/v2/a/blobs/b",
        "https://sub.r.example/v2/a/blobs/b",
        "https://r.example./v2/a/blobs/b",
    ],
)
async def test_credentials_stay_at_the_first_origin(elsewhere: str) -> None:
    site = _Site({_HOME: _to(elsewhere)})

    await _follow(site, a_request(_HOME, secret_headers=_SECRET))

    first, second = site.requests
    assert first.headers["Authorization"] == "Bearer canary"
    assert "canary" not in str(second.headers.raw)


async def test_the_same_origin_gets_the_credentials_again() -> None:
    site = _Site({_HOME: _to("https://r.example:443/elsewhere")})

    await _follow(site, a_request(_HOME, secret_headers=_SECRET))

    assert site.requests[1].headers["X-Registry-Auth"] == "canary"


async def test_a_redirect_that_comes_back_brings_no_credentials() -> None:
    site = _Site({_HOME: _to(_AWAY), _AWAY: _to("https://r.example/back")})

    await _follow(site, a_request(_HOME, secret_headers=_SECRET))

    assert len(site.requests) == 3
    assert "canary" not in str(site.requests[2].headers.raw)


async def test_the_fifth_redirect_is_followed_and_the_sixth_refused() -> None:
    site = _Site({f"https://r.example/{n}": _to(f"/{n + 1}") for n in range(6)})

    status = await _follow(site, a_request("https://r.example/1"))
    with pytest.raises(TransportError) as refused:
        await _follow(site, a_request("https://r.example/0"))

    assert status == 200
    assert refused.value.code == "too_many_redirects"
    assert len(site.requests) == 6 + 6


async def test_a_401_of_the_first_origin_is_an_answer() -> None:
    site = _Site({_HOME: httpx.Response(401)})

    assert await _follow(site, a_request(_HOME)) == 401


async def test_a_401_after_leaving_is_an_error_even_back_home() -> None:
    back = "https://r.example/back"
    site = _Site({_HOME: _to(_AWAY), _AWAY: _to(back), back: httpx.Response(401)})

    with pytest.raises(RegistryError) as refused:
        await _follow(site, a_request(_HOME))

    assert refused.value.code == "unauthorized"


async def test_the_ceiling_and_the_budget_are_kept_at_each_hop() -> None:
    site = _Site({_HOME: _to(_AWAY)})

    asks = await _asks(site, a_request(_HOME, ceiling=Reach.PRIVATE, body_limit=123))

    limits = [(ask.ceiling, ask.body_limit) for ask in asks]
    assert limits == [(Reach.PRIVATE, 123)] * 2


@pytest.mark.parametrize("named", ["s.example", "s.example:443"])
async def test_a_trusted_storage_host_may_be_anywhere_for_its_hop(named: str) -> None:
    site = _Site({_HOME: _to(_AWAY), _AWAY: _to("https://t.example/")})
    ask = a_request(_HOME, ceiling=Reach.PUBLIC)

    asks = await _asks(site, ask, frozenset({named}))

    ceilings = [hop.ceiling for hop in asks]
    assert ceilings == [Reach.PUBLIC, Reach.LOOPBACK, Reach.PUBLIC]


async def test_trusting_a_storage_host_never_lifts_the_first_hop() -> None:
    site = _Site({})
    ask = a_request(_AWAY, ceiling=Reach.PUBLIC)

    first, *_ = await _asks(site, ask, frozenset({"s.example"}))

    assert first.ceiling is Reach.PUBLIC


async def test_each_hop_has_what_is_left_of_the_deadline() -> None:
    async def site(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        at_home = request.url.host == "r.example"
        return _to(_AWAY) if at_home else httpx.Response(200)

    connections = HandlerConnections(site)
    await follow(connections, a_request(_HOME, deadline_s=9.0))

    left = [ask.deadline_s for ask in connections.asks]
    assert 9.0 >= left[0] > left[1] > 0.0


@pytest.mark.parametrize(
    ("failure", "code", "retryable"),
    [
        (httpx.ReadTimeout("slow"), "deadline", True),
        (httpx.ConnectTimeout("slow"), "deadline", True),
        (httpx.ConnectError("refused"), "connect_error", True),
        (request_failures.NameNotFound("no such name"), "dns_error", True),
        (request_failures.HandshakeFailed("expired"), "tls_error", False),
        (request_failures.CutOff("cut"), "connection_reset", True),
        (request_failures.KeptConnectionClosed("cut"), "connection_reset", True),
        (httpx.ReadError("cut"), "connection_reset", True),
        (request_failures.BodyTooLarge("much"), "too_large", False),
        (request_failures.HeaderTooLarge("much"), "header_too_large", False),
        (request_failures.BadAnswer("odd"), "bad_answer", True),
        (httpx.RemoteProtocolError("odd"), "bad_answer", True),
        (request_failures.EncodingRefused("gzip"), "content_encoding_refused", False),
        (httpx.LocalProtocolError("odd"), "bad_request", False),
        (httpx.UnsupportedProtocol("odd"), "bad_request", False),
        (httpx.TooManyRedirects("never raised"), "transport_error", True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
async def test_every_failure_becomes_one_code_and_keeps_its_cause(
    failure: httpx.RequestError, code: str, retryable: bool
) -> None:
    def site(request: httpx.Request) -> httpx.Response:
        raise failure

    with pytest.raises(TransportError) as raised:
        await _follow(site, a_request(f"{_HOME}?sig=canary"))

    assert raised.value.code == code
    assert raised.value.retryable is retryable
    assert raised.value.__cause__ is failure
    assert raised.value.message.startswith("https://r.example:443: ")
    assert "canary" not in raised.value.message


async def test_who_does_not_listen_is_told_without_the_systems_words() -> None:
    def site(request: httpx.Request) -> httpx.Response:
        said = "Connect call failed ('127.0.0.1', 5999)"
        try:
            raise ConnectionRefusedError(errno.ECONNREFUSED, said)
        except OSError as exc:
            raise httpx.ConnectError(f"no connection: {said}") from exc

    with pytest.raises(TransportError) as raised:
        await _follow(site, a_request(_HOME))

    assert raised.value.message == "https://r.example:443: nothing listens there"
    assert raised.value.hint == "check the address and the port"


async def test_a_refused_address_is_a_refused_redirect_after_the_first_hop() -> None:
    def site(request: httpx.Request) -> httpx.Response:
        if request.url.host == "s.example":
            raise request_failures.AddressNotAllowed("10.0.0.1 is private")
        return _to(_AWAY)

    with pytest.raises(AddressRefused) as at_once:
        await _follow(site, a_request(_AWAY))
    with pytest.raises(AddressRefused) as after_a_hop:
        await _follow(site, a_request(_HOME))

    assert at_once.value.code == "address_refused"
    assert after_a_hop.value.code == "redirect_refused"


@pytest.mark.parametrize("url", ["http://[::1/", "http://r.example:port/", "\x00"])
async def test_an_ask_without_a_usable_url_fails_before_any_request(url: str) -> None:
    site = _Site({})

    with pytest.raises(TransportError) as raised, our_errors():
        await _follow(site, a_request(url))

    assert raised.value.code == "bad_request"
    assert site.requests == []


def test_a_request_prints_no_secret() -> None:
    secret = (("Authorization", "Bearer c4nary"),)
    ask = a_request("https://a.example/v2/?sig=c4nary", secret_headers=secret)

    printed = repr(replace(ask, body=b'{"secret": "c4nary"}'))

    assert printed == "<GET https://a.example:443>"
