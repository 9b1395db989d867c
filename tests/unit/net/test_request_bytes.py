"""Requests as they are sent."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.net.guard.url_parts import address_of
from weighbridge.net.wire import PlainRequest, request_bytes

_EMPTY = httpx.ByteStream(b"")


def _request(
    method: str = "GET",
    fields: list[tuple[bytes, bytes]] | None = None,
    url: str = "http://r.example/v2/a?n=1",
) -> httpx.Request:
    headers = [(b"Host", b"r.example")] if fields is None else fields
    return httpx.Request(method, url, headers=headers, stream=_EMPTY)


def test_a_request_is_its_line_its_fields_and_nothing_else() -> None:
    fields = [(b"Host", b"r.example"), (b"Accept", b"a/b, c/d")]

    assert request_bytes(_request(fields=fields)) == (
        b"GET /v2/a?n=1 HTTP/1.1\r\nHost: r.example\r\nAccept: a/b, c/d\r\n\r\n"
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "G\r\nX"])
def test_only_get_and_head_are_sent(method: str) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        request_bytes(_request(method))


@pytest.mark.parametrize(
    "field",
    [
        (b"A", b"b\r\nC: d"),
        (b"A", b"b\nC: d"),
        (b"A", b"b\r\n\r\nGET / HTTP/1.1"),
        (b"A\r\nB", b"c"),
        (b"A: b\r\nC", b"d"),
        (b"A", b"\0"),
        (b"A b", b"c"),
        (b"", b"c"),
    ],
)
def test_a_field_that_breaks_out_of_its_line_is_not_sent(
    field: tuple[bytes, bytes],
) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        request_bytes(_request(fields=[(b"Host", b"r.example"), field]))


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_any_field_is_sent_as_one_line_or_not_at_all(name: bytes, value: bytes) -> None:
    try:
        wire = request_bytes(_request(fields=[(b"Host", b"r"), (name, value)]))
    except httpx.LocalProtocolError:
        return

    assert wire.split(b"\r\n")[1:] == [b"Host: r", name + b": " + value, b"", b""]


def _with_body(method: str, body: bytes) -> httpx.Request:
    address = address_of("http://r.example/v2/auth/token")
    return PlainRequest(method, address, [(b"Host", b"r.example")], {}, body)


@given(st.binary(min_size=1, max_size=50))
def test_a_post_is_sent_with_its_body_and_the_length_of_that(body: bytes) -> None:
    head = b"POST /v2/auth/token HTTP/1.1\r\nHost: r.example\r\nContent-Length: %d"

    assert request_bytes(_with_body("POST", body)) == head % len(body) + (
        b"\r\n\r\n" + body
    )


@pytest.mark.parametrize(
    ("method", "body"),
    [("POST", b""), ("GET", b"a"), ("HEAD", b"a"), ("PUT", b"a"), ("DELETE", b"")],
)
def test_nothing_but_a_post_has_a_body(method: str, body: bytes) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        request_bytes(_with_body(method, body))
