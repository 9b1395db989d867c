"""httpx's Request to bytes, and our Answer to httpx's Response.

Both types are httpx's own, so that any transport of its kind can stand below and any
reader of its kind above. What they hold besides is what was known before they were
made: reading a URL, and copying fields and body, take httpx longer than the sending.
"""

import re
from collections.abc import AsyncIterator
from typing import Final

import httpx

from weighbridge.net.failure.request_failures import BodyTooLarge
from weighbridge.net.guard.reach import Reach
from weighbridge.net.guard.url_parts import Address, OriginRoute, address_of_url
from weighbridge.net.http1.answer import HTTPAnswer

_REQUEST = re.compile(
    rb"(?:GET|HEAD|POST) [\x21-\x7e]+ HTTP/1\.1\r\n"
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [\t\x20-\x7e\x80-\xff]*\r\n)+"
    rb"\r\n"
)
_NO_BODY: Final = httpx.ByteStream(b"")


class PlainRequest(httpx.Request):
    """A request whose address and fields are at hand.

    `url` and `headers` are made when somebody asks for them; what is sent are
    `address`, `fields` and `body`, which is why nobody may change the other two.

    body: of a POST, the one method that has one
    """

    def __init__(
        self,
        method: str,
        address: Address,
        fields: list[tuple[bytes, bytes]],
        extensions: dict[str, object],
        body: bytes = b"",
    ) -> None:
        self.method = method
        self.address = address
        self.fields = fields
        self.extensions = extensions
        self.body = body
        self.stream = httpx.ByteStream(body) if body else _NO_BODY

    def __getattr__(self, name: str) -> object:
        # Called for what is not there yet.
        if name == "url":
            self.url = httpx.URL(self.address.text)
            return self.url
        if name == "headers":
            self.headers = httpx.Headers(self.fields)
            return self.headers
        raise AttributeError(name)


class WholeResponse(httpx.Response):
    """A response with its body; `headers` are made when somebody asks for them.

    fields: names and values as they came
    """

    def __init__(
        self, answer: HTTPAnswer, request: httpx.Request, extensions: dict[str, object]
    ) -> None:
        super().__init__(
            answer.status, stream=_NO_BODY, request=request, extensions=extensions
        )
        del self.headers
        self.fields = answer.fields
        self.is_closed = True
        self.is_stream_consumed = True
        self._whole = answer.body

    def __getattr__(self, name: str) -> object:
        if name == "headers":
            self.headers = httpx.Headers(self.fields)
            return self.headers
        raise AttributeError(name)

    @property
    def content(self) -> bytes:
        """The body."""
        return self._whole

    def read(self) -> bytes:
        """The body."""
        return self._whole

    async def aread(self) -> bytes:
        """The body."""
        return self._whole


def fields_of(response: httpx.Response) -> list[tuple[bytes, bytes]]:
    """The fields of any response, names and values as they came."""
    if isinstance(response, WholeResponse):
        return response.fields
    return response.headers.raw


def address_of_request(request: httpx.Request) -> Address:
    """What a request asks for."""
    if isinstance(request, PlainRequest):
        return request.address
    return address_of_url(request.url)


def route_of(request: httpx.Request) -> OriginRoute:
    """The route of a request; its ceiling is PUBLIC unless an extension says other.

    Raises httpx.UnsupportedProtocol for anything but http and https.
    """
    address = address_of_request(request)
    if not address.port or not address.host:
        raise httpx.UnsupportedProtocol("an address begins with http:// or https://")
    ceiling: Reach = request.extensions.get("ceiling", Reach.PUBLIC)
    return OriginRoute(address.scheme, address.host, address.port, ceiling)


def request_bytes(request: httpx.Request) -> bytes:
    """A GET, a HEAD, or a POST with a body, as it is sent. Raises
    httpx.LocalProtocolError for any other, and where a field would break out of its
    line."""
    if isinstance(request, PlainRequest):
        target, fields, body = request.address.target, request.fields, request.body
    else:
        target, fields, body = request.url.raw_path, request.headers.raw, b""
    if body:
        fields = [*fields, (b"Content-Length", b"%d" % len(body))]
    lines = [b"%s %s HTTP/1.1" % (request.method.encode(), target)]
    lines += [b"%s: %s" % field for field in fields]
    wire = b"\r\n".join(lines) + b"\r\n\r\n"
    is_one = wire.count(b"\r\n") == len(fields) + 2
    if not is_one or _REQUEST.fullmatch(wire) is None:
        raise httpx.LocalProtocolError("not a request with valid header fields")
    if (request.method == "POST") != bool(body):
        raise httpx.LocalProtocolError("a POST has a body, and nothing else has")
    return wire + body


def response_of(answer: HTTPAnswer, request: httpx.Request) -> httpx.Response:
    """The response, already read unless its body was over budget."""
    extensions: dict[str, object] = {
        "http_version": answer.http_version,
        "reason_phrase": answer.reason,
        "framing": answer.framing,
    }
    if not answer.over_budget:
        return WholeResponse(answer, request, extensions)
    extensions["over_budget"] = True
    return httpx.Response(
        answer.status,
        headers=answer.fields,
        stream=OverBudget(),
        request=request,
        extensions=extensions,
    )


class OverBudget(httpx.AsyncByteStream):
    """Stands for a body that was not read: reading it raises BodyTooLarge."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        raise BodyTooLarge("the body exceeds its budget")
