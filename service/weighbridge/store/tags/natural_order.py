"""A text key by which a database sorts tags as people do: v2 before v10."""

import re
from typing import Final

_NUMBER: Final = re.compile(r"[0-9]+")


def natural_key(name: str) -> str:
    """The name with each number written as its count of digits and its digits.

    Plain text order of the keys is natural order of the names. Leading zeros do not
    count, so `01` and `1` share a key; sort by the name after it.
    """
    return _NUMBER.sub(_sortable, name)


def _sortable(match: re.Match[str]) -> str:
    digits = match[0].lstrip("0")
    # Three digits of length are enough: a tag has at most 128 characters.
    return f"{len(digits):03}{digits}"
