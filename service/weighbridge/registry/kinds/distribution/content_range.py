"""Parts of a blob: what an answer holds of it, and how long it says the blob is."""

import re
from typing import Final

from weighbridge.domain.image.digest import Digest, digest_of, verify
from weighbridge.domain.limits import DESCRIPTOR_BYTES
from weighbridge.errors import RegistryError
from weighbridge.ports.protocols import RangeAnswer
from weighbridge.registry.exchange.registry_request import RegistryAnswer

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
