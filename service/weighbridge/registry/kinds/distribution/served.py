"""What a registry served, compared with what was asked for: manifests, blobs, parts
of a blob and how long it is, pages of `_catalog` and `tags/list`."""

import re
from typing import Final

from msgspec.structs import replace

from weighbridge.domain.image.digest import Digest, digest_of, is_digest, verify
from weighbridge.domain.image.reference import is_repository_name, is_tag
from weighbridge.domain.limits import DESCRIPTOR_BYTES
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.errors import (
    DocumentError,
    RegistryError,
    TransportError,
    WeighbridgeError,
)
from weighbridge.ports.protocols import ManifestAnswer, RangeAnswer
from weighbridge.registry.exchange.paging import (
    ListingPage,
    page_members,
    unusable_page,
)
from weighbridge.registry.exchange.registry_request import (
    RegistryAnswer,
    RegistryRequest,
)

_LISTING: Final = "the registry's listing"


def parse_catalog_page(raw: bytes) -> ListingPage:
    """`{"repositories": [...]}`. Raises DocumentError(invalid_listing, ...)."""
    entries = _entries(page_members(raw, _LISTING), "repositories")
    names = [entry for entry in entries if is_repository_name(entry)]
    return _names(names, entries)


def parse_tag_page(raw: bytes, repository: str) -> ListingPage:
    """`{"name": ..., "tags": [...]}`; null, as distribution says it of an emptied
    repository, is no tags. Entries that are no tags (null, digests) are counted.

    Raises DocumentError(invalid_listing, name_mismatch, ...).
    """
    page = page_members(raw, _LISTING)
    if page.get("name") != repository:
        raise DocumentError(
            f"the registry listed the tags of another repository than {repository}",
            code="name_mismatch",
            hint="a cache or proxy before it may have mixed up its answers",
        )
    entries = _entries(page, "tags")
    page_of_names = _names([entry for entry in entries if is_tag(entry)], entries)
    return replace(page_of_names, tags=tuple(map(TagSeen, page_of_names.names)))


def _entries(page: dict[str, object], key: str) -> list[object]:
    # An absent list says nothing; taken as an empty one it would delete everything.
    if key not in page:
        raise unusable_page(_LISTING, f"it has no {key!r}")
    entries = page[key]
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise unusable_page(_LISTING, f"{key!r} is not a list")
    return entries


def _names(good: list[object], entries: list[object]) -> ListingPage:
    names = dict.fromkeys(entry for entry in good if isinstance(entry, str))
    return ListingPage(tuple(names), len(entries) - len(good))


# RFC 9110 14.4. `bytes 0-7/*` is a good answer too, but says too little for us.
_CONTENT_RANGE: Final = re.compile(
    r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})", re.ASCII
)
_UNSATISFIED: Final = re.compile(r"bytes \*/([0-9]{1,19})", re.ASCII)
NO_LENGTH: Final = frozenset(
    {"bad_content_range", "range_unsupported", "range_not_satisfiable"}
)
"""Codes of answers to a range that say not even how long the blob is."""
_LENGTH: Final = re.compile(r"[0-9]{1,19}", re.ASCII)


def blob_range(
    answer: RegistryAnswer, digest: Digest, first: int, last: int
) -> RangeAnswer:
    """What a 200, 206, 400 or 416 says of bytes first..last of a blob.

    Raises RegistryError(bad_content_range, range_unsupported, range_not_satisfiable)
    where it says neither bytes nor length, and DocumentError(digest_mismatch) where
    it holds all of the blob, and those are not the digest's bytes.
    """
    if answer.status == 206:
        return _part(answer, digest, first, last)
    if answer.status == 416:
        return RangeAnswer(b"", _unsatisfied_total(answer))
    if answer.status == 200 and answer.content is not None:
        verify(answer.content, digest)
        return RangeAnswer(answer.content[first : last + 1], len(answer.content))
    length = blob_length(answer, digest) if answer.status == 200 else None
    if length is None:
        raise RegistryError(
            "the registry does not serve parts of a blob", code="range_unsupported"
        )
    return RangeAnswer(None, length)


def blob_length(answer: RegistryAnswer, digest: Digest) -> int | None:
    """The Content-Length of a whole blob, None where there is none to believe.

    Some proxies answer every HEAD with 0; only one digest is that of nothing.
    """
    values = answer.headers.get_list("content-length")
    if len(values) != 1 or _LENGTH.fullmatch(values[0]) is None:
        return None
    length = int(values[0])
    if length == 0 and digest != digest_of(b"", digest.partition(":")[0]):
        return None
    return length if length <= DESCRIPTOR_BYTES else None


def bad_content_range(reason: str) -> RegistryError:
    return RegistryError(
        f"the registry's answer to a range of a blob is unusable: {reason}",
        code="bad_content_range",
    )


def _part(answer: RegistryAnswer, digest: Digest, first: int, last: int) -> RangeAnswer:
    values = answer.headers.get_list("content-range")
    found = _CONTENT_RANGE.fullmatch(values[0]) if len(values) == 1 else None
    if found is None:
        raise bad_content_range("Content-Range is missing or cannot be read")
    begin, end, total = map(int, found.groups())
    if total > DESCRIPTOR_BYTES:
        raise bad_content_range("Content-Range names a length that no blob has")
    # RFC 9110 14.1.2: a blob that ends before `last` is given to its end.
    if begin != first or end != min(last, total - 1) or end < begin:
        raise bad_content_range("Content-Range names other bytes")
    content = answer.content
    if content is None or len(content) != end - begin + 1:
        raise bad_content_range("it has another length than its Content-Range")
    if len(content) == total:
        verify(content, digest)
    return RangeAnswer(content, total)


def _unsatisfied_total(answer: RegistryAnswer) -> int:
    """RFC 9110 15.5.17: a 416 should say how long the blob is."""
    values = answer.headers.get_list("content-range")
    found = _UNSATISFIED.fullmatch(values[0]) if len(values) == 1 else None
    if found is None or int(found[1]) > DESCRIPTOR_BYTES:
        raise RegistryError(
            "the registry refuses the range of a blob and does not say how long it is",
            code="range_not_satisfiable",
        )
    return int(found[1])


DIGEST_HEADER: Final = "docker-content-digest"
_CLAIM_CHARACTERS: Final = 136
"""`sha512:` and its digits; a longer claim is no digest."""


def manifest_answer(answer: RegistryAnswer, wanted: Digest | None) -> ManifestAnswer:
    """A manifest, which is `wanted` where it was asked for by digest.

    Raises DocumentError(digest_mismatch).
    """
    content = answer.content or b""
    if wanted is not None:
        verify(content, wanted)
    return ManifestAnswer(
        content=content,
        content_type=answer.headers.get("content-type"),
        digest=digest_of(content) if wanted is None else wanted,
        claimed_digest=_claim(answer),
    )


def contradicted(found: ManifestAnswer) -> Digest | None:
    """The digest that the registry calls this manifest by, where it is another than
    its content has."""
    claim = found.claimed_digest
    if claim == found.digest or not is_digest(claim):
        return None
    computed = digest_of(found.content, claim.partition(":")[0])
    return None if claim == computed else Digest(claim)


def altered(digest: Digest) -> DocumentError:
    """The error for bytes that changed on their way."""
    return DocumentError(
        f"the registry serves other bytes than those of {digest[:19]}…",
        code="digest_mismatch",
    )


def exactly(answer: RegistryAnswer, digest: Digest, content_bytes: int) -> bytes:
    """A whole blob. Raises DocumentError(size_mismatch, digest_mismatch)."""
    content = answer.content or b""
    if len(content) != content_bytes:
        raise _size_mismatch(content_bytes)
    verify(content, digest)
    return content


def too_large(question: RegistryRequest, exc: TransportError) -> WeighbridgeError:
    """What it means that a body did not end where it should."""
    if question.operation == "config":
        return _size_mismatch(question.body_limit)
    if question.operation == "blob_range":
        return bad_content_range("it is longer than what was asked for")
    return DocumentError(exc.message, code="too_large")


def _claim(answer: RegistryAnswer) -> str:
    claim = answer.headers.get(DIGEST_HEADER)
    return claim if is_digest(claim) else ascii(claim[:_CLAIM_CHARACTERS])[1:-1]


def _size_mismatch(content_bytes: int) -> DocumentError:
    return DocumentError(
        f"the registry serves another length than the {content_bytes} bytes that the"
        " manifest says",
        code="size_mismatch",
    )
