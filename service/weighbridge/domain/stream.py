"""Streams: the tags of a repository that differ in their numbers only."""

import re
from typing import Final

# A commit or a digest as people shorten it: a word of its own, and not one that only
# happens to be made of the letters a to f. `git describe` puts a `g` before it.
_HEX: Final = (
    r"(?:(?<![0-9A-Za-z])|(?<=-g))"
    r"(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{7,}(?![0-9A-Za-z])"
)
# `3`, `3.7` and `3.7.2` are versions of one thing.
_NUMBER: Final = r"[0-9]+(?:\.[0-9]+)*"
_NUMBERS: Final = re.compile(f"{_HEX}|{_NUMBER}", re.ASCII)


def stream_of(tag: str) -> str:
    """The tag with `#` for each of its numbers, versions and commits.

    `1.2.3` and `1.3` are `#`, `2024-01-31-slim` is `#-#-#-slim`, `main-0ab12cd` is
    `main-#`, `v1.2-5-g0ab12cd` is `v#-#-g#`, `latest` is `latest`: what is pushed as
    one of these comes after what was pushed as another one of the same.
    """
    return without_numbers(tag)


def without_numbers(text: str) -> str:
    """Any text with `#` for each of its numbers, versions and hashes."""
    return _NUMBERS.sub("#", text)
