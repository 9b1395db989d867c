"""What the demo registry answers: one pure function from a request to an answer."""

import json
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
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
