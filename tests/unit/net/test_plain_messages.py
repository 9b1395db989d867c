"""Requests and responses that make httpx's views of themselves only when asked."""

import httpx
import pytest

from weighbridge.net.guard.url_parts import address_of
from weighbridge.net.http1.answer import AnswerReader, HTTPAnswer
from weighbridge.net.wire import (
    PlainRequest,
    address_of_request,
    fields_of,
    request_bytes,
    response_of,
)

_URL = "https://r.example:5000/v2/a/manifests/1.0"
_FIELDS = [(b"Host", b"r.example:5000"), (b"Accept", b"a/b")]


def _request() -> PlainRequest:
    return PlainRequest("GET", address_of(_URL), _FIELDS, {"body_limit": 9})


def _answer(raw: bytes) -> HTTPAnswer:
    answer = AnswerReader("GET", 100).feed(raw)
    assert answer is not None
    return answer


def test_a_plain_request_is_sent_as_httpx_own_would_be() -> None:
    plain = _request()
    own = httpx.Request("GET", _URL, headers=_FIELDS, stream=httpx.ByteStream(b""))

    assert request_bytes(plain) == request_bytes(own)
    assert (plain.url, plain.headers) == (own.url, own.headers)
    assert address_of_request(plain) == address_of_request(own)
    assert repr(plain).endswith(f"Request('GET', '{_URL}')>")


def test_a_response_has_its_body_and_its_fields() -> None:
    answer = _answer(b"HTTP/1.1 404 No\r\nContent-Length: 2\r\nX-A: b\r\n\r\nhi")

    response = response_of(answer, _request())

    assert response.content == response.read() == b"hi"
    assert response.text == "hi"
    assert response.headers["x-a"] == "b"
    assert fields_of(response) == [(b"Content-Length", b"2"), (b"X-A", b"b")]
    assert (response.status_code, response.reason_phrase) == (404, "No")
    assert response.is_closed
    assert response.request.url == _URL


async def test_a_response_is_read_without_waiting() -> None:
    answer = _answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    assert await response_of(answer, _request()).aread() == b"hi"


def test_what_neither_has_is_missing() -> None:
    answer = _answer(b"HTTP/1.1 204 None\r\n\r\n")

    with pytest.raises(AttributeError):
        getattr(_request(), "nothing")  # noqa: B009
    with pytest.raises(AttributeError):
        getattr(response_of(answer, _request()), "nothing")  # noqa: B009
