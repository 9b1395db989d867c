"""Bodies of requests that write: read under a cap, then strictly."""

import asyncio
from collections.abc import Callable, Mapping, Set
from typing import Final, TypeAlias
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.types import Receive

from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import DocumentError
from weighbridge.web.request.answers import Refusal

BODY_BYTES: Final = 64 * 1024
"""No body that we take has a use for more."""
READ_S: Final = 10.0
_TOLD: Final = 20


class Gone(Exception):
    """The sender has gone away and waits for no answer."""


async def read_body(
    request: Request, most: int = BODY_BYTES, read_s: float = READ_S
) -> bytes:
    """The body of a request that is handled. Raises Refusal(408, 413), and Refusal(400)
    for one without its end."""
    stated = request.headers.get("content-length", "")
    try:
        return bytes(await received(request.receive, stated, most, read_s))
    except Gone as exc:
        # Nobody waits for the answer; without it this were a fault of ours in the log.
        words = "the body did not come to its end"
        raise Refusal(400, words, code="invalid_body") from exc


async def received(
    receive: Receive,
    stated: str,
    most: int,
    read_s: float,
    hold: Callable[[int], None] = lambda _: None,
) -> bytearray:
    """The body as it was sent.

    stated: its `Content-Length`, "" for none
    hold:   is told of each piece, before it is kept
    Raises Refusal(413) without reading what is beyond `most` bytes, Refusal(408) for
    one that takes too long, Gone.
    """
    if stated.isascii() and stated.isdigit() and int(stated[:20]) > most:
        raise _too_large(most)
    body = bytearray()
    try:
        async with asyncio.timeout(read_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                piece = message.get("body", b"")
                hold(len(piece))
                body += piece
                if len(body) > most:
                    raise _too_large(most)
                if not message.get("more_body", False):
                    return body
    except TimeoutError as exc:
        words = f"the body did not come within {read_s:g} seconds"
        raise Refusal(408, words, code="body_timeout") from exc


Members: TypeAlias = Mapping[str, object]


def json_object(body: bytes, required: Set[str], optional: Set[str]) -> Members:
    """The members of the JSON object that a body is: all of `required`, and of
    `optional` those that are not null.

    Raises Refusal(400) for what is no JSON or says a name twice, Refusal(422) for
    another value than such an object.
    """
    try:
        value = parse_json(body)
    except DocumentError as exc:
        message = exc.message.replace("the document", "the body")
        raise Refusal(400, message, code=exc.code) from exc
    if not isinstance(value, dict):
        raise Refusal(422, "the body is no object", code="invalid_body")
    faults = {name: "there is no such member" for name in value}
    faults = {n: why for n, why in faults.items() if n not in required | optional}
    faults |= {name: "is missing" for name in required if value.get(name) is None}
    if faults:
        raise invalid_members(faults)
    return {name: inner for name, inner in value.items() if inner is not None}


def form_fields(body: bytes, required: Set[str], optional: Set[str]) -> Members:
    """The fields of a form of ours, without those of `optional` that are empty.

    Raises Refusal(400) for what is no such form, Refusal(422) for other fields.
    """
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_TOLD,
        )
    except ValueError as exc:
        raise Refusal(400, "the body is no form", code="invalid_body") from exc
    if len(dict(pairs)) < len(pairs):
        raise Refusal(400, "the form has a field twice", code="invalid_body")
    fields = {name: text for name, text in pairs if text or name in required}
    faults = {name: "is missing" for name in required if not fields.get(name)}
    known = required | optional
    faults |= {name: "there is no such field" for name in fields if name not in known}
    if faults:
        raise invalid_members(faults)
    return dict(fields)


def text_of(members: Members, name: str, default: str = "") -> str:
    """A text. Raises Refusal(422)."""
    value = members.get(name, default)
    if isinstance(value, str):
        return value
    raise invalid_members({name: "must be a text"})


def invalid_members(faults: Mapping[str, str]) -> Refusal:
    """422 naming each member with what is wrong; what was sent is not echoed."""
    told = {printable(name, 40): why for name, why in sorted(faults.items())[:_TOLD]}
    return Refusal(
        422, f"wrong or missing: {', '.join(told)}", code="invalid_body", detail=told
    )


def _too_large(most: int) -> Refusal:
    return Refusal(413, f"the body has more than {most:,} bytes", code="too_large")
