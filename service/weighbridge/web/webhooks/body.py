"""Reads a webhook's body: so many bytes and no more, within a deadline."""

import asyncio
from collections.abc import Mapping
from typing import Final

from starlette.types import Receive

from weighbridge.web.request.errors import Refusal
from weighbridge.web.webhooks.admission import ByteCounter

BODY_BYTES: Final = 1024 * 1024
"""A body is a few kilobytes, mostly; one of an image of thousands of layers fits."""
READ_S: Final = 10.0


class Gone(Exception):
    """The sender has gone away and waits for no answer."""


async def read_body(
    headers: Mapping[str, str],
    receive: Receive,
    room: ByteCounter,
    read_s: float = READ_S,
) -> bytes:
    """The body as it was sent. Raises Refusal(408, 413, 415, 503), Gone."""
    if headers.get("content-encoding", "identity").lower() != "identity":
        words = "the body is to be sent as it is, without an encoding"
        raise Refusal(415, words, code="encoded_body")
    stated = headers.get("content-length", "")
    if stated.isascii() and stated.isdigit() and int(stated[:20]) > BODY_BYTES:
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(read_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                piece = message.get("body", b"")
                room.hold(len(piece))
                body += piece
                if len(body) > BODY_BYTES:
                    raise _too_large()
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError as exc:
        words = f"the body did not come within {read_s:g} seconds"
        raise Refusal(408, words, code="body_timeout") from exc
    finally:
        room.release(len(body))


def _too_large() -> Refusal:
    words = f"the body has more than {BODY_BYTES:,} bytes"
    return Refusal(413, words, code="too_large")
