"""The demo registry behind a limit on requests, which every answer tells."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from support.listening import Serve, listening_in_thread
from weighbridge.demo.content.stored_documents import RegistryContent
from weighbridge.demo.http.server import answer


@dataclass(slots=True)
class LimitedRegistry:
    """limit: requests that it allows in an hour; left: how many of them are left"""

    content: RegistryContent
    limit: int
    left: int
    url: str = ""

    def reply(self, head: bytes) -> bytes:
        """The answer to one request, with what is then left of the limit."""
        line, *lines = head.decode("latin-1").split("\r\n")[:-2]
        method, target, _ = line.split(" ")
        fields = (field.partition(":") for field in lines)
        given = {name.lower(): value.strip() for name, _, value in fields}
        if self.left <= 0:
            return self._raw(429, (("Retry-After", "3600"),), b"", 0)
        self.left -= 1
        told = answer(self.content, method, target, given)
        body = b"" if method == "HEAD" else told.body
        if method != "HEAD" and told.blob is not None:
            body = told.blob.read(told.first, told.last)
        return self._raw(told.status, told.headers, body, told.content_length)

    def _raw(
        self,
        status: int,
        headers: tuple[tuple[str, str], ...],
        body: bytes,
        length: int,
    ) -> bytes:
        lines = [
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
            *(f"{name}: {value}" for name, value in headers),
            f"ratelimit-limit: {self.limit};w=3600",
            f"ratelimit-remaining: {self.left};w=3600",
        ]
        # RFC 9110 15.4.5: 304 has no content, and no length of one that was not sent.
        if status != HTTPStatus.NOT_MODIFIED:
            lines.append(f"Content-Length: {length}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


@contextmanager
def limited_registry(content: RegistryContent, limit: int) -> Iterator[LimitedRegistry]:
    """Serve it on a port of loopback, in a thread, until the block ends."""
    registry = LimitedRegistry(content, limit, limit)
    with listening_in_thread(_answering(registry)) as port:
        registry.url = f"http://127.0.0.1:{port}"
        yield registry


def _answering(registry: LimitedRegistry) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(registry.reply(await reader.readuntil(b"\r\n\r\n")))
            await writer.drain()

    return serve
