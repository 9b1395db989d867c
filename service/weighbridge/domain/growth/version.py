"""Tags that name a version, and the order of tags as people read them."""

import re
from typing import Final, TypeAlias

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
