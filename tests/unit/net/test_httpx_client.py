"""An ordinary `httpx.AsyncClient` over our transport: what is sent, what comes back."""

import httpx
import pytest

from support.handler_connections import Handler, HandlerConnections
from weighbridge import __version__
from weighbridge.domain.limits import MANIFEST_BODY_BYTES, REQUEST_DEADLINE_S
from weighbridge.errors import AddressRefused, TransportError
from weighbridge.net.failure.request_failures import (
    AddressNotAllowed,
    BodyTooLarge,
    our_errors,
)
from weighbridge.net.guard.addresses import Reach
from weighbridge.net.transport import Transport, client_over

_URL = "https://api.example:8443/v2/pages?page=1"


def _client(
    handler: Handler = lambda _: httpx.Response(200), *, contact: str = ""
) -> tuple[httpx.AsyncClient, HandlerConnections]:
    connections = HandlerConnections(handler)
    transport = Transport(connections, ceiling=Reach.PRIVATE, body_limit=9)
    return client_over(transport, 7.0, contact=contact), connections


async def test_identity_and_the_host_of_the_url_are_sent_whatever_was_given() -> None:
    http, connections = _client()

    await http.get(_URL, headers={"Host": "forged", "Accept-Encoding": "gzip"})

    headers = connections.requests[0].headers
    assert headers.get_list("host") == ["api.example:8443"]
    assert headers.get_list("accept-encoding") == ["identity"]
    assert headers.get_list("user-agent") == [f"weighbridge/{__version__}"]
    assert connections.asks[0].address.target == b"/v2/pages?page=1"


async def test_who_may_be_asked_about_us_is_told_in_one_line() -> None:
    http, connections = _client(contact="jürgen€@example")

    await http.get(_URL)

    (agent,) = connections.requests[0].headers.get_list("user-agent")
    assert agent.endswith("(+jürgen?@example)")


async def test_the_transports_bounds_hold_for_what_says_no_other() -> None:
    http, connections = _client()

    await http.get(_URL)
    await http.get(
        _URL,
        timeout=3.0,
        extensions={"ceiling": Reach.PUBLIC, "body_limit": 5, "may_repeat": True},
    )

    bounds = [
        (r.ceiling, r.body_limit, r.deadline_s, r.may_repeat) for r in connections.asks
    ]
    assert bounds == [(Reach.PRIVATE, 9, 7.0, False), (Reach.PUBLIC, 5, 3.0, True)]


async def test_a_bare_transport_is_bounded_as_well() -> None:
    connections = HandlerConnections(lambda _: httpx.Response(200))
    http = httpx.AsyncClient(transport=Transport(connections), timeout=None)  # noqa: S113 - the transport bounds it

    await http.get(_URL)

    (sent,) = connections.asks
    assert sent.ceiling is Reach.PUBLIC
    assert sent.body_limit == MANIFEST_BODY_BYTES
    assert sent.deadline_s == REQUEST_DEADLINE_S


async def test_a_body_is_sent_with_one_length_that_is_ours() -> None:
    http, connections = _client()

    await http.post(_URL, json={"a": 1}, headers={"Content-Length": "99"})

    (sent,) = connections.requests
    assert sent.content == b'{"a":1}'
    assert sent.headers.get_list("content-length") == ["7"]
    assert "transfer-encoding" not in sent.headers


@pytest.mark.parametrize("location", ["https://other.example/", "http://[::1", "\x00"])
async def test_no_redirect_is_followed_even_where_a_client_would(location: str) -> None:
    http, connections = _client(
        lambda _: httpx.Response(307, headers={"Location": location})
    )

    response = await http.get(_URL, follow_redirects=True)

    assert response.status_code == 307
    assert len(connections.asks) == 1


async def test_redirects_are_followed_where_the_request_says_so() -> None:
    places = {
        "api.example": "https://store.example/x",
        "store.example": "https://cdn.example/x",
    }

    def handler(request: httpx.Request) -> httpx.Response:
        place = places.get(request.url.host)
        if place is None:
            return httpx.Response(200, content=b"page")
        return httpx.Response(307, headers={"Location": place})

    connections = HandlerConnections(handler)
    trusted = frozenset({"store.example"})
    http = client_over(Transport(connections, trusted_storage_hosts=trusted), 7.0)

    response = await http.get(
        _URL, headers={"Authorization": "secret"}, extensions={"follow": True}
    )

    assert response.content == b"page"
    assert connections.sent("authorization") == ["secret", None, None]
    assert [asked.ceiling for asked in connections.asks] == [
        Reach.PUBLIC,
        Reach.LOOPBACK,
        Reach.PUBLIC,
    ]


async def test_a_cookie_is_not_sent_back() -> None:
    http, connections = _client(
        lambda _: httpx.Response(200, headers={"Set-Cookie": "a=b; Path=/"})
    )

    await http.get(_URL)
    await http.get(_URL)

    assert connections.sent("cookie") == [None, None]


async def test_a_long_body_of_a_success_is_seen_but_not_read() -> None:
    http, _ = _client(lambda _: httpx.Response(200, content=b"x" * 10))

    async with http.stream("GET", _URL) as response:
        assert response.status_code == 200
        with pytest.raises(BodyTooLarge):
            await response.aread()
    with pytest.raises(TransportError) as raised, our_errors():
        await http.get(_URL)

    assert raised.value.code == "too_large"
    assert raised.value.message.startswith("https://api.example:8443: ")


async def test_a_long_body_of_a_refusal_is_left_out() -> None:
    http, _ = _client(lambda _: httpx.Response(403, content=b"x" * 10))

    response = await http.get(_URL)

    assert (response.status_code, response.content) == (403, b"")


async def test_the_guards_refusal_is_ours() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise AddressNotAllowed("10.0.0.1 is private")

    http, _ = _client(handler)

    with pytest.raises(AddressRefused) as raised, our_errors():
        await http.get(_URL)

    assert raised.value.code == "address_refused"


@pytest.mark.parametrize("url", ["http://[::1/", "http://r.example:port/", "\x00"])
async def test_what_is_no_url_is_our_error(url: str) -> None:
    http, connections = _client()

    with pytest.raises(TransportError) as raised, our_errors():
        await http.get(url)

    assert raised.value.code == "bad_request"
    assert connections.asks == []


async def test_closing_the_client_ends_its_connections() -> None:
    http, connections = _client()

    await http.aclose()

    assert connections.is_closed
