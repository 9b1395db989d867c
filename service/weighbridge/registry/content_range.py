"""Parts of a blob: whether an answer holds the bytes that were asked for."""

import re
from typing import Final

from weighbridge.errors import RegistryError
from weighbridge.registry.question import Answer

# RFC 9110 14.4; the forms with an asterisk prove nothing and are refused.
_CONTENT_RANGE: Final = re.compile(
    r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})", re.ASCII
)


def ranged_content(answer: Answer, first: int, last: int, total_bytes: int) -> bytes:
    """Bytes first..last of a blob of total_bytes, from a 206; or from a 200, where
    that is all of it.

    Raises RegistryError(bad_content_range, range_unsupported).
    """
    content, wanted_bytes = answer.content, last - first + 1
    if answer.status == 206:
        _check_content_range(answer, first, last, total_bytes)
        if content is None or len(content) != wanted_bytes:
            raise bad_content_range("it has another length than its Content-Range")
        return content
    is_whole = answer.status == 200 and wanted_bytes == total_bytes
    if is_whole and content is not None and len(content) == total_bytes:
        return content
    raise RegistryError(
        "the registry does not serve parts of a blob", code="range_unsupported"
    )


def bad_content_range(reason: str) -> RegistryError:
    return RegistryError(
        f"the registry's answer to a range of a blob is unusable: {reason}",
        code="bad_content_range",
    )


def _check_content_range(
    answer: Answer, first: int, last: int, total_bytes: int
) -> None:
    values = answer.headers.get_list("content-range")
    found = _CONTENT_RANGE.fullmatch(values[0]) if len(values) == 1 else None
    if found is None:
        raise bad_content_range("Content-Range is missing or cannot be read")
    if tuple(map(int, found.groups())) != (first, last, total_bytes):
        raise bad_content_range("Content-Range names other bytes")
