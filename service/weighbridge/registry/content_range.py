"""`Content-Range`: whether a 206 holds the bytes that were asked for."""

import re
from typing import Final

from weighbridge.errors import RegistryError

# RFC 9110 14.4; the forms with an asterisk prove nothing and are refused.
_CONTENT_RANGE: Final = re.compile(
    r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})", re.ASCII
)


def check_content_range(
    values: list[str], first: int, last: int, total_bytes: int
) -> None:
    """Raises RegistryError(bad_content_range) unless these header values say, once,
    exactly bytes first..last of total_bytes."""
    found = _CONTENT_RANGE.fullmatch(values[0]) if len(values) == 1 else None
    if found is None:
        raise bad_content_range("Content-Range is missing or cannot be read")
    if tuple(map(int, found.groups())) != (first, last, total_bytes):
        raise bad_content_range("Content-Range names other bytes")


def bad_content_range(reason: str) -> RegistryError:
    return RegistryError(
        f"the registry's answer to a range of a blob is unusable: {reason}",
        code="bad_content_range",
    )
