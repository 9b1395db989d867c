"""Replies as bytes, kept ready by the line that asks for them."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from weighbridge.demo.content.stored_documents import RegistryContent
from weighbridge.demo.http.server import DemoReply, answer

_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}
_LONGEST_BODY: Final = 1024 * 1024
"""Of a blob: no client that weighs reads as much of a layer."""
_HEADER_BLOCKS: Final = 1_024
_PARTICULAR: Final = ("range", "if-none-match", "content-length", "transfer-encoding")
"""Headers that make an answer another one than the line alone asks for."""


@dataclass(frozen=True, slots=True)
class Reply:
    """kind: what was asked, for counting; media_type: what Accept has to name."""

    kind: str
    media_type: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Headers:
    """A block of headers, read once: a client sends the same ones again and again.

    is_plain: the line alone decides what the answer is
    is_last:  the client ends the connection with it
    """

    fields: Mapping[str, str]
    accept: str
    is_plain: bool
    is_last: bool


class Replies:
    """What a content answers, by the demo registry's rules.

    kept_bytes: so much is kept ready; then all of it is dropped. 0 keeps nothing.
    counts:     requests by kind, as `demo.http.server.DemoServer` names them;
                `get_layer` is the try to pull a whole large blob, which is refused
    """

    def __init__(self, content: RegistryContent, kept_bytes: int) -> None:
        self.content = content
        self.counts: Counter[str] = Counter()
        self._kept: dict[bytes, Reply] = {}
        self._kept_bytes = 0
        self._most_bytes = kept_bytes
        self._blocks: dict[bytes, Headers] = {}

    def reply(self, line: bytes, headers: Headers) -> bytes:
        """The answer to a request line (`GET /v2/ HTTP/1.1`) that is well-formed."""
        kept = self._kept.get(line)
        if kept is not None and headers.is_plain and _accepts(headers, kept.media_type):
            self.counts[kept.kind] += 1
            return kept.raw
        made = self._make(line, headers)
        self.counts[made.kind] += 1
        return made.raw

    def headers(self, block: bytes) -> Headers:
        """The lines after the first one."""
        found = self._blocks.get(block)
        if found is None:
            if len(self._blocks) >= _HEADER_BLOCKS:
                self._blocks.clear()
            found = self._blocks[block] = _read(block)
        return found

    def forget(self) -> None:
        """Keep nothing of what was: the content has changed."""
        self._kept.clear()
        self._kept_bytes = 0

    def prepare(self) -> None:
        """Make every reply that a crawl asks for, layers left out."""
        plain = _read(b"")
        for target in _targets(self.content):
            for method in ("GET", "HEAD"):
                self._make(f"{method} {target} HTTP/1.1".encode(), plain)

    def _make(self, line: bytes, headers: Headers) -> Reply:
        method, target = line.decode("latin-1").split(" ")[:2]
        answered = answer(self.content, method, target, headers.fields)
        media_type = ""
        if "manifest" in answered.kind and answered.status == HTTPStatus.OK:
            media_type = dict(answered.headers)["Content-Type"]
        reply = _reply(method, answered, media_type)
        if answered.status == HTTPStatus.OK and headers.is_plain:
            self._keep(line, reply)
        return reply

    def _keep(self, line: bytes, reply: Reply) -> None:
        size = len(line) + len(reply.raw)
        if self._kept_bytes + size > self._most_bytes:
            self.forget()
        if size <= self._most_bytes and line not in self._kept:
            self._kept[line] = reply
            self._kept_bytes += size


def document(status: int, value: object) -> bytes:
    """An answer of the server's own, as JSON."""
    body = json.dumps(value).encode()
    head = (("Content-Type", "application/json"),)
    return _reply("GET", DemoReply("control", status, head, body), "").raw


def _accepts(headers: Headers, media_type: str) -> bool:
    accept = headers.accept
    return not (media_type and accept) or media_type in accept or "*/*" in accept


def _reply(method: str, answered: DemoReply, media_type: str) -> Reply:
    if method != "HEAD" and answered.content_length > _LONGEST_BODY:
        denied = b'{"errors":[{"code":"DENIED","message":"no layer is pulled here"}]}'
        kind = "get_layer" if answered.kind == "get_blob" else answered.kind
        answered = DemoReply(kind, 403, (("Content-Type", "application/json"),), denied)
    lines = [
        f"HTTP/1.1 {answered.status} {_REASONS[answered.status]}",
        "Docker-Distribution-API-Version: registry/2.0",
        *(f"{name}: {value}" for name, value in answered.headers),
    ]
    has_body = answered.status != HTTPStatus.NOT_MODIFIED
    if has_body:
        lines.append(f"Content-Length: {answered.content_length}")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    if method == "HEAD" or not has_body:
        return Reply(answered.kind, media_type, head)
    if answered.blob is None:
        return Reply(answered.kind, media_type, head + answered.body)
    part = answered.blob.read(answered.first, answered.last)
    return Reply(answered.kind, media_type, head + part)


def _read(block: bytes) -> Headers:
    fields: dict[str, str] = {}
    for line in block.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip()
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return Headers(
        fields,
        accept=fields.get("accept", ""),
        is_plain=not any(name in fields for name in _PARTICULAR),
        is_last=fields.get("connection", "").lower() == "close",
    )


def _targets(content: RegistryContent) -> Iterator[str]:
    yield "/v2/"
    for repository in content.repositories():
        path = f"/v2/{repository}"
        documents: dict[str, bytes] = {}
        for tag in content.tags(repository) or ():
            if (served := content.manifest(repository, tag)) is not None:
                yield f"{path}/manifests/{tag}"
                documents[served.digest] = served.content
        while documents:
            digest, text = documents.popitem()
            yield f"{path}/manifests/{digest}"
            document = json.loads(text)
            if "config" in document:
                yield f"{path}/blobs/{document['config']['digest']}"
            for entry in document.get("manifests", ()):
                child = content.manifest(repository, entry["digest"])
                if child is not None:
                    documents[child.digest] = child.content
