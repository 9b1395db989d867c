"""A registry that lists its repositories, and whose other answers are in trouble."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, TypeAlias, get_args

from support.listening import listening_in_thread

Trouble: TypeAlias = Literal["silent", "late", "limited", "closed"]
"""No answer; one after LATE_S; 429 to each; the connection's end."""
TROUBLES: Final[tuple[Trouble, ...]] = get_args(Trouble)
LATE_S: Final = 5.0
NAMES: Final = tuple(f"trouble/app{number:02d}" for number in range(40))


@contextmanager
def troubled_answers(trouble: Trouble) -> Iterator[str]:
    """Its URL, on a port of loopback, from a thread, until the block ends."""

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            if (said := await _said(trouble, head)) is None:
                return
            writer.write(said)
            await writer.drain()

    with listening_in_thread(answer) as port:
        yield f"http://127.0.0.1:{port}"


async def _said(trouble: Trouble, head: str) -> bytes | None:
    """The answer's bytes; None where the connection is to end."""
    path = head.split(" ")[1].partition("?")[0]
    if path == "/v2/":
        return _raw("200 OK", {})
    if path == "/v2/_catalog":
        return _raw("200 OK", {"repositories": NAMES})
    if trouble == "silent":
        await asyncio.Event().wait()
    if trouble == "late":
        await asyncio.sleep(LATE_S)
        name = path.removeprefix("/v2/").removesuffix("/tags/list")
        return _raw("200 OK", {"name": name, "tags": []})
    if trouble == "limited":
        return _raw("429 Too Many Requests", {}, "Retry-After: 5\r\n")
    return None


def _raw(status: str, document: object, more: str = "") -> bytes:
    body = json.dumps(document)
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{more}"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
