"""The demo registry on a port: a small HTTP/1.1 server for GET and HEAD, and what
it answers: one pure function from a request to an answer.

Written for load tests as well: one asyncio.Protocol, no task and no stream a
request, so that the registry is never what a crawl waits for.
"""

import asyncio
import json
import re
import threading
from bisect import bisect_right
from collections import Counter
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, quote, unquote

from msgspec import Struct

from weighbridge.demo.content.stored_documents import RegistryContent, Served
from weighbridge.demo.content.virtual_blobs import Blob
from weighbridge.domain.image.digest import is_digest

_ONE_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


class Unsatisfiable(Exception):
    """The range lies beyond the end: 416."""


def asked_range(text: str, total_bytes: int) -> tuple[int, int] | None:
    """First and last byte, both included; None for a header that is to be ignored.

    Several ranges, another unit and `last` before `first` are ignored, as RFC 9110
    14.2 allows. Raises Unsatisfiable.
    """
    match = _ONE_RANGE.fullmatch(text.strip())
    if match is None or match[0] == "bytes=-":
        return None
    first_text, last_text = match.groups()
    if not first_text:
        return _suffix(int(last_text), total_bytes)
    first = int(first_text)
    last = int(last_text) if last_text else total_bytes - 1
    if last_text and last < first:
        return None
    if first >= total_bytes:
        raise Unsatisfiable
    return first, min(last, total_bytes - 1)


def _suffix(length: int, total_bytes: int) -> tuple[int, int]:
    if not length or not total_bytes:
        raise Unsatisfiable
    return max(total_bytes - length, 0), total_bytes - 1


_CATALOG_ITEMS: Final = 100
_TAGS: Final = 1_000
_MOST_ITEMS: Final = 1_000
"""distribution refuses a larger `n` (catalog.maxentries); it does not clamp it."""


class DemoReply(Struct, frozen=True):
    """A response before it is put on the wire.

    kind:  what was asked, for counting
    body:  of a document; its length is Content-Length unless `blob` is set
    blob:  bytes first..last of it are the body, made while they are sent
    """

    kind: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    blob: Blob | None = None
    first: int = 0
    last: int = -1

    @property
    def content_length(self) -> int:
        return len(self.body) if self.blob is None else self.last - self.first + 1


def answer(
    content: RegistryContent, method: str, target: str, headers: Mapping[str, str]
) -> DemoReply:
    """The answer to one request; header names are in lower case.

    Follows distribution-spec as CNCF's registry does; of HEAD it gives the whole
    answer, whose body the server does not send.
    """
    if method not in ("GET", "HEAD"):
        return _error(
            "other", 405, "UNSUPPORTED", "read only", (("Allow", "GET, HEAD"),)
        )
    path, _, query = target.partition("?")
    if "%" in path:
        path = unquote(path)
    if not path.startswith("/v2/"):
        return _error("other", 404, "UNSUPPORTED", "only /v2/ is here")
    rest = path[4:]
    repository, found, reference = rest.rpartition("/manifests/")
    if found:
        return _manifest(content, method, repository, reference, headers)
    repository, found, digest = rest.rpartition("/blobs/")
    if found:
        return _blob(content, method, repository, digest, headers)
    return _listing(content, rest, query)


def _listing(content: RegistryContent, rest: str, query: str) -> DemoReply:
    if not rest:
        return _document("ping", b"{}")
    if rest == "_catalog":
        names = content.repositories()
        return _page("catalog", names, {}, "repositories", "/v2/_catalog", query)
    repository, found, _ = rest.rpartition("/tags/list")
    if not found or not rest.endswith("/tags/list"):
        return _error("other", 404, "UNSUPPORTED", "no such endpoint")
    tags = content.tags(repository)
    if tags is None:
        return _unknown_repository("tags", repository)
    path = f"/v2/{repository}/tags/list"
    return _page("tags", tags, {"name": repository}, "tags", path, query)


def _page(
    kind: str,
    items: Sequence[str],
    head: Mapping[str, str],
    key: str,
    path: str,
    query: str,
) -> DemoReply:
    """One page after `last`; Link says where the next one is."""
    asked = parse_qs(query, keep_blank_values=True)
    text = asked.get("n", [""])[0]
    default = _CATALOG_ITEMS if kind == "catalog" else _TAGS
    if text and not (text.isascii() and text.isdigit() and len(text) <= 6):
        return _bad_page_length(kind, text)
    wanted = int(text) if text else default
    if wanted > _MOST_ITEMS:
        return _bad_page_length(kind, text)
    last = asked.get("last", [""])[0]
    start = bisect_right(items, last) if last else 0
    page = list(items[start : start + wanted])
    body = json.dumps({**head, key: page}, separators=(",", ":")).encode()
    if not page or start + len(page) >= len(items):
        return _document(kind, body)
    following = f"{path}?last={quote(page[-1], safe='')}&n={wanted}"
    return _document(kind, body, (("Link", f'<{following}>; rel="next"'),))


def _bad_page_length(kind: str, text: str) -> DemoReply:
    return _error(
        kind, 400, "PAGINATION_NUMBER_INVALID", f"n is 0 to {_MOST_ITEMS}, not {text!r}"
    )


def _manifest(
    content: RegistryContent,
    method: str,
    repository: str,
    reference: str,
    headers: Mapping[str, str],
) -> DemoReply:
    kind = f"{method.lower()}_manifest"
    served = content.manifest(repository, reference)
    if served is None:
        if content.tags(repository) is None:
            return _unknown_repository(kind, repository)
        return _error(kind, 404, "MANIFEST_UNKNOWN", "no such manifest")
    if not _is_accepted(served, headers.get("accept", "")):
        return _error(
            kind, 404, "MANIFEST_UNKNOWN", f"Accept does not name {served.media_type}"
        )
    named = (("Docker-Content-Digest", served.digest), ("ETag", f'"{served.digest}"'))
    # distribution takes the bare digest as well as the quoted one.
    if headers.get("if-none-match", "").strip('"') == served.digest:
        return DemoReply(kind, 304, named)
    return DemoReply(
        kind, 200, (("Content-Type", served.media_type), *named), served.content
    )


def _is_accepted(served: Served, accept: str) -> bool:
    """Whether Accept lists the type, or nothing, or everything; q is ignored."""
    return not accept or served.media_type in accept or "*/*" in accept


def _blob(
    content: RegistryContent,
    method: str,
    repository: str,
    digest: str,
    headers: Mapping[str, str],
) -> DemoReply:
    kind = f"{method.lower()}_blob"
    if not is_digest(digest):
        return _error(kind, 400, "DIGEST_INVALID", "not a digest")
    blob = content.blob(repository, digest)
    if blob is None:
        if content.tags(repository) is None:
            return _unknown_repository(kind, repository)
        return _error(kind, 404, "BLOB_UNKNOWN", "no such blob")
    named = (
        ("Content-Type", "application/octet-stream"),
        ("Accept-Ranges", "bytes"),
        ("Docker-Content-Digest", digest),
        ("ETag", f'"{digest}"'),
    )
    total = blob.content_bytes
    asked = headers.get("range") if method == "GET" else None
    try:
        wanted = asked_range(asked, total) if asked else None
    except Unsatisfiable:
        return DemoReply("get_range", 416, (("Content-Range", f"bytes */{total}"),))
    if wanted is None:
        return DemoReply(kind, 200, named, blob=blob, last=total - 1)
    first, last = wanted
    placed = ("Content-Range", f"bytes {first}-{last}/{total}")
    return DemoReply("get_range", 206, (*named, placed), b"", blob, first, last)


def _document(
    kind: str, body: bytes, more: tuple[tuple[str, str], ...] = ()
) -> DemoReply:
    return DemoReply(kind, 200, (("Content-Type", "application/json"), *more), body)


def _unknown_repository(kind: str, repository: str) -> DemoReply:
    return _error(kind, 404, "NAME_UNKNOWN", f"no repository {repository[:80]!r}")


def _error(
    kind: str,
    status: int,
    code: str,
    message: str,
    more: tuple[tuple[str, str], ...] = (),
) -> DemoReply:
    """distribution-spec, Error Codes."""
    fault = {"code": code, "message": message, "detail": None}
    body = json.dumps({"errors": [fault]}).encode()
    return DemoReply(kind, status, (("Content-Type", "application/json"), *more), body)


_HEAD_BYTES: Final = 16 * 1024
_CHUNK_BYTES: Final = 64 * 1024
_END_OF_HEAD: Final = b"\r\n\r\n"
_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}
_SEPARATE_WRITE_BYTES: Final = 16 * 1024


class DemoServer:
    """A read-only registry over some content.

    content:  what is served; may be replaced at any time, so that one address can
        live through the demo's moments
    requests: how many were answered, by kind: ping, catalog, tags, head_manifest,
        get_manifest, head_blob, get_blob, get_range, other
    """

    def __init__(self, content: RegistryContent) -> None:
        self.content = content
        self.requests: Counter[str] = Counter()
        self.connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), host, port, backlog=1024
        )

    @property
    def url(self) -> str:
        """Such as http://127.0.0.1:41234, without a slash at the end."""
        if self._server is None:
            raise RuntimeError("the demo registry has not been started")
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def close(self) -> None:
        """Stop listening and drop every connection; idempotent."""
        if self._server is None:
            return
        self._server.close()
        for connection in tuple(self.connections):
            connection.abort()
        await self._server.wait_closed()
        self._server = None


class _Connection(asyncio.Protocol):
    """One client's connection: heads in, answers out, in order."""

    def __init__(self, server: DemoServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._sending: Iterator[bytes] | None = None
        self._is_paused = False
        self._is_last = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("the demo registry answers over streams only")
        self._transport = transport
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._sending = None
        self._server.connections.discard(self)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._go_on()

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._go_on()

    def _go_on(self) -> None:
        """Send what is begun, then answer what has come in, unless told to wait."""
        while self._transport is not None and not self._is_paused:
            if self._sending is not None:
                self._send_chunk(self._transport)
            elif self._is_last:
                self._transport.close()
                return
            elif not self._answer_one(self._transport):
                return

    def _send_chunk(self, transport: asyncio.Transport) -> None:
        chunk = next(self._sending, None) if self._sending is not None else None
        if chunk is None:
            self._sending = None
        else:
            transport.write(chunk)

    def _answer_one(self, transport: asyncio.Transport) -> bool:
        """Whether a whole request was there."""
        head, end, rest = self._received.partition(_END_OF_HEAD)
        if not end:
            # A client that tries TLS first (skopeo) is told at once, not by its
            # own timeout.
            if head and not head[:1].isalpha():
                self._refuse(transport, 400)
            elif len(head) > _HEAD_BYTES:
                self._refuse(transport, 431)
            return False
        self._received = rest
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        headers = _headers(lines[1:])
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            self._refuse(transport, 400)
            return False
        method, target, version = words
        if _has_body(headers):
            # A body would have to be skipped before the next head: better the end.
            self._is_last = True
            self._received = b""
        if version == "HTTP/1.0" or headers.get("connection", "").lower() == "close":
            self._is_last = True
        self._send(
            transport, method, answer(self._server.content, method, target, headers)
        )
        return True

    def _send(
        self, transport: asyncio.Transport, method: str, reply: DemoReply
    ) -> None:
        self._server.requests[reply.kind] += 1
        head = _head(reply, is_last=self._is_last)
        if method == "HEAD" or reply.status == HTTPStatus.NOT_MODIFIED:
            transport.write(head)
        elif reply.blob is None:
            transport.write(head + reply.body)
        elif reply.content_length <= _SEPARATE_WRITE_BYTES:
            transport.write(head + reply.blob.read(reply.first, reply.last))
        else:
            transport.write(head)
            self._sending = _chunks(reply)

    def _refuse(self, transport: asyncio.Transport, status: int) -> None:
        refusal = DemoReply("other", status, (("Content-Type", "text/plain"),))
        self._server.requests["other"] += 1
        transport.write(_head(refusal, is_last=True))
        transport.close()


def _headers(lines: list[str]) -> dict[str, str]:
    """By lower-case name; a repeated one is one list (RFC 9110 5.3)."""
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _has_body(headers: dict[str, str]) -> bool:
    length = headers.get("content-length", "0")
    return length != "0" or "transfer-encoding" in headers


def _head(reply: DemoReply, *, is_last: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {reply.status} {_REASONS[reply.status]}",
        "Docker-Distribution-API-Version: registry/2.0",
        *(f"{name}: {value}" for name, value in reply.headers),
    ]
    # RFC 9110 15.4.5: 304 has no content, and no length of one that was not sent.
    if reply.status != HTTPStatus.NOT_MODIFIED:
        lines.append(f"Content-Length: {reply.content_length}")
    if is_last:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _chunks(reply: DemoReply) -> Iterator[bytes]:
    if reply.blob is None:
        return
    for first in range(reply.first, reply.last + 1, _CHUNK_BYTES):
        yield reply.blob.read(first, min(first + _CHUNK_BYTES - 1, reply.last))


class RunningDemo:
    """A demo registry in a thread of its own, for code that is not async.

    url: as of its server
    Raises OSError where the port cannot be had.
    """

    def __init__(self, content: RegistryContent, port: int = 0) -> None:
        self.server = DemoServer(content)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="demo-registry", daemon=True
        )
        self._thread.start()
        try:
            self._run(self.server.start(port=port))
        except OSError:
            self.close()
            raise
        self.url = self.server.url

    def close(self) -> None:
        """Stop and wait until every socket is closed; idempotent."""
        if self._thread.is_alive():
            self._run(self.server.close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _run(self, work: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()
