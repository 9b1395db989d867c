"""Requests as they are sent."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.net.guard.addresses import Reach, address_of
from weighbridge.net.http1.head import HTTPRequest, request_bytes

_OURS = (b"host", b"accept-encoding", b"content-length", b"transfer-encoding")
_BEGINNING = (
    b"%s /v2/a?n=1 HTTP/1.1\r\nHost: r.example\r\nAccept-Encoding: identity\r\n"
)


def _request(
    method: str = "GET",
    fields: list[tuple[bytes, bytes]] | None = None,
    body: bytes = b"",
    url: str = "http://r.example/v2/a?n=1",
) -> HTTPRequest:
    return HTTPRequest(
        method,
        address_of(url),
        fields or [],
        Reach.PUBLIC,
        body_limit=1,
        deadline_s=1.0,
        may_repeat=False,
        body=body,
    )


def test_a_request_is_its_line_its_fields_and_nothing_else() -> None:
    assert request_bytes(_request(fields=[(b"Accept", b"a/b, c/d")])) == (
        _BEGINNING % b"GET" + b"Accept: a/b, c/d\r\n\r\n"
    )


@pytest.mark.parametrize("name", [*_OURS, b"hOST"])
def test_what_frames_a_message_is_said_by_us_alone(name: bytes) -> None:
    assert request_bytes(_request(fields=[(name, b"forged")])) == (
        _BEGINNING % b"GET" + b"\r\n"
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
        request_bytes(_request(fields=[field]))


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_any_field_is_sent_as_one_line_or_not_at_all(name: bytes, value: bytes) -> None:
    try:
        wire = request_bytes(_request(fields=[(name, value)]))
    except httpx.LocalProtocolError:
        return

    line = b"" if name.lower() in _OURS else name + b": " + value + b"\r\n"
    assert wire == _BEGINNING % b"GET" + line + b"\r\n"


@given(st.binary(min_size=1, max_size=50))
def test_a_post_is_sent_with_its_body_and_the_length_of_that(body: bytes) -> None:
    length = b"Content-Length: %d\r\n\r\n" % len(body)

    assert request_bytes(_request("POST", body=body)) == (
        _BEGINNING % b"POST" + length + body
    )


@pytest.mark.parametrize(
    ("method", "body"),
    [("POST", b""), ("GET", b"a"), ("HEAD", b"a"), ("PUT", b"a"), ("DELETE", b"")],
)
def test_nothing_but_a_post_has_a_body(method: str, body: bytes) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        request_bytes(_request(method, body=body))
