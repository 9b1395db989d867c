"""Streams: the tags of a repository that differ in their numbers only."""

import re
from typing import Final

_GUID: Final = (
    r"(?<![0-9A-Za-z#])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
    r"(?![0-9A-Za-z#])"
)
# A commit or a digest as people shorten it: a word of its own. `git describe` puts a
# `g` before it.
_HEX: Final = (
    r"(?:(?<![0-9A-Za-z])|(?<=-g))"
    r"(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{7,}(?![0-9A-Za-z])"
)
# One commit in a thousand has no digit among its first seven. English has three words
# of so many letters a to f; shorter ones, as facade, are no commits.
_LETTERS: Final = (
    r"(?:(?<![0-9A-Za-z#])|(?<=-g))(?!(?:acceded|defaced|effaced)(?![0-9A-Za-z]))"
    r"[a-f]{7,}(?![0-9A-Za-z#])"
)
# `3`, `3.7` and `3.7.2` are versions of one thing. What follows a dot may be a commit.
_NUMBER: Final = rf"[0-9]+(?:\.(?!{_GUID}|{_HEX})[0-9]+)*"
_NUMBERS: Final = re.compile(f"{_GUID}|{_HEX}|{_LETTERS}|{_NUMBER}", re.ASCII)


def stream_of(tag: str) -> str:
    """The tag with `#` for each of its numbers, versions, commits and GUIDs.

    `1.2.3` and `1.3` are `#`, `2024-01-31-slim` is `#-#-#-slim`, `main-0ab12cd` is
    `main-#`, `v1.2-5-g0ab12cd` is `v#-#-g#`, `latest` is `latest`: what is pushed as
    one of these comes after what was pushed as another one of the same.
    """
    return without_numbers(tag)


def without_numbers(text: str) -> str:
    """Any text with `#` for each of its numbers, versions, hashes and GUIDs."""
    return _NUMBERS.sub("#", text)
