"""What names of tags say: a version, their order as people read them, and streams, the
tags of a repository that differ in their numbers only."""

import re
from typing import Final, TypeAlias

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
_VERSION_NUMBER: Final = rf"[0-9]+(?:\.(?!{_GUID}|{_HEX})[0-9]+)*"
_NUMBER_WORDS: Final = re.compile(
    f"{_GUID}|{_HEX}|{_LETTERS}|{_VERSION_NUMBER}", re.ASCII
)


def stream_of(tag: str) -> str:
    """The tag with `#` for each of its numbers, versions, commits and GUIDs.

    `1.2.3` and `1.3` are `#`, `2024-01-31-slim` is `#-#-#-slim`, `main-0ab12cd` is
    `main-#`, `v1.2-5-g0ab12cd` is `v#-#-g#`, `latest` is `latest`: what is pushed as
    one of these comes after what was pushed as another one of the same.
    """
    return without_numbers(tag)


def without_numbers(text: str) -> str:
    """Any text with `#` for each of its numbers, versions, hashes and GUIDs."""
    return _NUMBER_WORDS.sub("#", text)


VersionKey: TypeAlias = tuple[tuple[int, ...], tuple[int, int], int]
"""Numbers; how finished, and the number of a pre-release; whether it is plain.
Keys compare as their versions do."""

NaturalKey: TypeAlias = tuple[tuple[bool, int, str], ...]

_NUMBERS: Final = 4
_FINISHED: Final = (9, 0)

_TAG: Final = re.compile(
    r"v?(?P<numbers>[0-9]{1,9}(?:\.[0-9]{1,9}){0,3})"
    r"(?P<attached>(?:a|b|c|rc|alpha|beta|pre|\.?dev)\.?[0-9]{1,9})?"
    r"(?P<rest>(?:[-_.+][A-Za-z0-9].*)?)",
    re.ASCII | re.IGNORECASE,
)
_PRE_RELEASE: Final = re.compile(
    r"(?P<name>dev|snapshot|nightly|canary|edge|unstable|test|alpha|beta|milestone|next"
    r"|preview|pre|ea|rc|cr|(?:a|b|m|c)(?=[0-9]))[0-9]{0,9}",
    re.ASCII | re.IGNORECASE,
)
_STAGE: Final = {
    **dict.fromkeys(("dev", "snapshot", "nightly", "canary", "edge"), 0),
    **dict.fromkeys(("unstable", "test"), 0),
    **dict.fromkeys(("alpha", "a"), 1),
    **dict.fromkeys(("beta", "b", "milestone", "m", "next"), 2),
    **dict.fromkeys(("preview", "pre", "ea", "rc", "cr", "c"), 3),
}
_SEPARATOR: Final = re.compile(r"[-_.+]")
_NUMBER: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_DIGITS: Final = re.compile(r"([0-9]{1,18})", re.ASCII)

# `20240115` and `1483920` are dates and build numbers; one number this long is not
# the major version of anything.
_LONGEST_MAJOR: Final = 4


def find_version(tag: str) -> VersionKey | None:
    """The version that a tag names, as a key to sort by; None for other tags.

    `v` in front is ignored and missing numbers are 0. Pre-releases come before their
    release (semver 2.0.0 section 11), in whatever way they are spelt: `3.13.0a4`,
    `3.13-rc.1`, `2.0-SNAPSHOT`. What else is behind a version is a variant, which
    comes before the plain one: `3.7-slim`, then `3.7`.
    """
    found = _TAG.fullmatch(tag)
    if found is None:
        return None
    numbers = [int(number) for number in found["numbers"].split(".")]
    if len(numbers) == 1 and len(found["numbers"]) > _LONGEST_MAJOR:
        return None
    if found["attached"] and len(numbers) == 1:
        return None  # `7a31`, `1b2`: more likely a commit than a version
    stage, is_plain = _suffix(f"{found['attached'] or ''}{found['rest']}")
    padded = (*numbers, *[0] * (_NUMBERS - len(numbers)))
    return padded, stage, int(is_plain)


def _suffix(suffix: str) -> tuple[tuple[int, int], bool]:
    """The stage that a suffix names, and whether it names nothing else."""
    parts = [part for part in _SEPARATOR.split(suffix) if part]
    for place, part in enumerate(parts):
        found = _PRE_RELEASE.fullmatch(part)
        if found is None:
            continue
        number, others = part[len(found["name"]) :], parts[:place] + parts[place + 1 :]
        if (
            not number
            and place < len(parts) - 1
            and _NUMBER.fullmatch(parts[place + 1])
        ):
            number = others.pop(place)
        return (_STAGE[found["name"].lower()], int(number or 0)), not others
    return _FINISHED, not parts


def natural_key(text: str) -> NaturalKey:
    """`build-9` before `build-10`: digits compare as numbers, the rest as text."""
    return tuple(
        (False, int(part), "") if _DIGITS.fullmatch(part) else (True, 0, part)
        for part in _DIGITS.split(text)
        if part
    )
