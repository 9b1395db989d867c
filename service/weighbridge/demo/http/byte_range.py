"""The Range header of a request for a part of a blob (RFC 9110 14.1.2)."""

import re
from typing import Final

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
