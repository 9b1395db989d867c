"""httpx's Request to bytes, and our Answer to httpx's Response."""

import re
from collections.abc import AsyncIterator

import httpx

from weighbridge.net.answer import Answer
from weighbridge.net.failures import BodyTooLarge

_REQUEST = re.compile(
    rb"(?:GET|HEAD) [\x21-\x7e]+ HTTP/1\.1\r\n"
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [\t\x20-\x7e\x80-\xff]*\r\n)+"
    rb"\r\n"
)


def request_bytes(request: httpx.Request) -> bytes:
    """A GET or HEAD as it is sent. Raises httpx.LocalProtocolError for any other, and
    where a field would break out of its line."""
    fields = request.headers.raw
    lines = [b"%s %s HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
    lines += [b"%s: %s" % field for field in fields]
    wire = b"\r\n".join(lines) + b"\r\n\r\n"
    if wire.count(b"\r\n") != len(fields) + 2 or _REQUEST.fullmatch(wire) is None:
        raise httpx.LocalProtocolError("not a GET or HEAD with valid header fields")
    return wire


def response_of(answer: Answer, request: httpx.Request) -> httpx.Response:
    """The response, already read unless its body was over budget."""
    extensions: dict[str, object] = {
        "http_version": answer.http_version,
        "reason_phrase": answer.reason,
        "framing": answer.framing,
    }
    if answer.over_budget:
        extensions["over_budget"] = True
        return httpx.Response(
            answer.status,
            headers=answer.fields,
            stream=OverBudget(),
            request=request,
            extensions=extensions,
        )
    return httpx.Response(
        answer.status,
        headers=answer.fields,
        content=answer.body,
        request=request,
        extensions=extensions,
    )


class OverBudget(httpx.AsyncByteStream):
    """Stands for a body that was not read: reading it raises BodyTooLarge."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        raise BodyTooLarge("the body exceeds its budget")
