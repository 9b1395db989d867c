"""A registry that answers from memory: every answer is made before the first request.

    python -m load.bench.replay_server REPOSITORIES TAGS DELAY_MS PATHS

It writes what it holds to the file PATHS, prints its port, and ends when its standard
input does. `GET /_move` moves every tag to an image that it never named. With a delay
each answer waits on the event loop's clock, however many others wait too.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

from load.bench.content import Paths, Size, tagged_images
from support.images_oci import OCI_MANIFEST
from weighbridge.domain.image.digest import digest_of

_END: Final = b"\r\n\r\n"
_MISSING: Final = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
_PAGE: Final = 1_000


class Answers:
    """What is answered, by method and path."""

    def __init__(self, size: Size) -> None:
        self._size = size
        self._moves = -1
        self._whole: dict[bytes, bytes] = {b"GET /v2/": _answer(b"{}", "json")}
        self._tags: dict[str, list[str]] = {}
        self.paths = Paths()
        self.move()

    def move(self) -> bytes:
        """Make the images that all tags name from now on."""
        self._moves += 1
        self._tags = {name: [] for name in self._size.names}
        self.paths = Paths()
        for image in tagged_images(self._size, with_layers=False, moves=self._moves):
            self._tags[image.repository].append(image.tag)
            self.paths.add(image)
            path = image.path.encode()
            whole = _answer(image.manifest, OCI_MANIFEST, image.digest)
            by_digest = path.rpartition(b"/")[0] + b"/" + image.digest.encode()
            self._whole[b"GET " + path] = self._whole[b"GET " + by_digest] = whole
            self._whole[b"HEAD " + path] = whole[: whole.index(_END) + len(_END)]
            self._whole[b"GET " + image.config_path.encode()] = _answer(
                image.config, "application/octet-stream", digest_of(image.config)
            )
        return _answer(b"{}", "json")

    def of(self, head: bytes) -> bytes:
        """The answer to a request's head."""
        asked = head[: head.index(b" HTTP/1.1")]
        return self._whole.get(asked) or self._page(asked.decode())

    def _page(self, asked: str) -> bytes:
        path, _, query = asked.partition(" ")[2].partition("?")
        if path == "/_move":
            return self.move()
        if path == "/v2/_catalog":
            return _answer(_dumped({"repositories": list(self._tags)}), "json")
        repository = path.removeprefix("/v2/").removesuffix("/tags/list")
        names = self._tags.get(repository)
        if names is None or not path.endswith("/tags/list"):
            return _MISSING
        last = parse_qs(query).get("last", [""])[0]
        start = names.index(last) + 1 if last else 0
        page = names[start : start + _PAGE]
        link = ""
        if start + _PAGE < len(names):
            link = f'Link: <{path}?n={_PAGE}&last={page[-1]}>; rel="next"\r\n'
        return _answer(_dumped({"name": repository, "tags": page}), "json", link=link)


class _Connection(asyncio.Protocol):
    """One connection; a client sends its next request after our answer."""

    def __init__(self, answers: Answers, delay_s: float) -> None:
        self._answers = answers
        self._delay_s = delay_s
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        if not self._held.startswith((b"GET ", b"HEAD ")):
            # A client that tries TLS first would wait for its timeout.
            self._transport.close()
        while (end := self._held.find(_END)) >= 0:
            head, self._held = self._held[:end], self._held[end + len(_END) :]
            answer = self._answers.of(head)
            if self._delay_s:
                loop = asyncio.get_running_loop()
                loop.call_later(self._delay_s, self._transport.write, answer)
            else:
                self._transport.write(answer)


def _answer(body: bytes, kind: str, digest: str = "", *, link: str = "") -> bytes:
    content_type = "application/json" if kind == "json" else kind
    claim = f"Docker-Content-Digest: {digest}\r\n" if digest else ""
    head = (
        "HTTP/1.1 200 OK\r\n"
        "Docker-Distribution-Api-Version: registry/2.0\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        f"{claim}{link}\r\n"
    )
    return head.encode() + body


def _dumped(document: object) -> bytes:
    return json.dumps(document).encode()


async def main(size: Size, delay_ms: float, paths: Path) -> None:
    """Serve until standard input ends."""
    answers = Answers(size)
    answers.paths.save(paths)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Connection(answers, delay_ms / 1000), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    repositories, tags, delay_ms, paths = sys.argv[1:]
    size = Size(int(repositories), int(tags))
    asyncio.run(main(size, float(delay_ms), Path(paths)))
