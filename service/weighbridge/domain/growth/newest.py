"""Which image of a repository is the newest, and what those before it weighed; and what
names of tags say for that: a version, their order as people read them, and streams, the
tags of a repository that differ in their numbers only.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.image.digest import Digest

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


# Builders that want the same digest twice write the epoch, or 1 January 1980 (what
# zip can hold at least); neither is when anything was made.
_EARLIEST_CREATED: Final = datetime(1980, 1, 2, tzinfo=UTC)
_EARLIEST_PUSH: Final = datetime(2013, 1, 1, tzinfo=UTC)
"""No registry is older than Docker: a push time before it is none."""
_LATEST_TOLD: Final = timedelta(days=1)
"""Of a clock that is ahead of ours. What is later stays the newest for years."""
_BASELINE_MOST_IMAGES: Final = 10
_BASELINE_LEAST_IMAGES: Final = 3
DECIDING_IMAGES: Final = 1 + _BASELINE_MOST_IMAGES
"""So many distinct images are read: the newest, and those of its baseline."""

NewestBy: TypeAlias = Literal["pushed", "moved", "latest", "version", "created", "name"]
"""Which rule made an image the newest one (design section 1)."""
NEVER: Final = datetime.min.replace(tzinfo=UTC)
"""Stands for a time that nobody knows: before all others."""

_Key: TypeAlias = tuple[
    datetime, datetime, bool, bool, VersionKey, datetime, NaturalKey, str
]
VersionRank: TypeAlias = tuple[bool, VersionKey]
"""See `version_rank`."""
_Beginning: TypeAlias = tuple[object, ...]
_NO_VERSION: Final[VersionKey] = ((), (0, 0), 0)


class Candidate(Struct, frozen=True):
    """One tag that leads to an image. Times are aware.

    pushed_at:  what the registry or a webhook said
    moved_at:   when we first saw the tag move there; None in the repository's first
                complete crawl, which cannot know
    created_at: what the config says
    """

    tag: str
    digest: Digest
    pushed_at: datetime | None
    moved_at: datetime | None
    created_at: datetime | None
    compressed_bytes: int


class Ranked(Struct, frozen=True):
    """A candidate and the rule that put it before the next one of another image; where
    there is none, the first rule that says anything of it."""

    candidate: Candidate
    by: NewestBy


def ranked(candidates: Iterable[Candidate], now: datetime) -> list[Ranked]:
    """The candidates, newest first.

    Compared in turn: push time, time of the first move, the tag `latest`, version,
    time of creation, tag in natural order. Whoever has a value comes before whoever
    has none. Tags differ, so the order is total.
    """
    keyed = [(_key(candidate, now), candidate) for candidate in candidates]
    keyed.sort(key=lambda pair: pair[0], reverse=True)
    ranking: list[Ranked] = []
    next_key, next_digest = _NOTHING, None
    other = _NOTHING
    for key, candidate in reversed(keyed):
        # A push of one image under two tags was decided by neither tag.
        if candidate.digest != next_digest:
            other = next_key
        ranking.append(Ranked(candidate, _deciding_rule(key, other)))
        next_key, next_digest = key, candidate.digest
    return ranking[::-1]


def leading(candidates: Iterable[Candidate], now: datetime) -> list[Candidate]:
    """Those that decide, in no order: ranked, they have the same first place and the
    same `baseline` as all candidates. So the many that times or versions tell apart
    need not be compared by the rest of their names."""
    found = _deciding(candidates, _times)
    found = _deciding(found, _times_and_version)
    return _deciding(found, lambda one: (*_times_and_version(one), _created(one, now)))


def newest_images(candidates: Iterable[Candidate], now: datetime) -> list[Candidate]:
    """The newest tag of each image that decides, at most `DECIDING_IMAGES`. These say
    as much as all of them, whichever others come later."""

    def beginning(one: Candidate) -> _Beginning:
        return *_times_and_version(one), _created(one, now)

    found: dict[Digest, Candidate] = {}
    for each in ranked(_deciding(candidates, beginning, with_ties=True), now):
        found.setdefault(each.candidate.digest, each.candidate)
    return list(islice(found.values(), DECIDING_IMAGES))


def _deciding(
    candidates: Iterable[Candidate],
    beginning: Callable[[Candidate], _Beginning],
    *,
    with_ties: bool = False,
) -> list[Candidate]:
    """`leading`, as far as the beginnings of their keys tell.

    with_ties: with all tags that the beginnings leave open
    """
    best: dict[Digest, _Beginning] = {}
    having: dict[Digest, list[Candidate]] = {}
    for candidate in candidates:
        digest, key = candidate.digest, beginning(candidate)
        if digest not in best or best[digest] < key:
            best[digest], having[digest] = key, [candidate]
        elif best[digest] == key:
            having[digest].append(candidate)
    order = sorted(best, key=best.__getitem__, reverse=True)
    kept: list[Candidate] = []
    before = 0
    for _, group in groupby(order, key=best.__getitem__):
        tied = list(group)
        # Behind the newest it matters which images are read, not their order.
        is_open = with_ties or before == 0 or before + len(tied) > DECIDING_IMAGES
        for digest in tied:
            kept += having[digest] if is_open else having[digest][:1]
        before += len(tied)
        if before >= DECIDING_IMAGES:
            break
    return kept


def baseline(ranking: Sequence[Ranked], at: int = 0) -> int | None:
    """The median compressed size, in bytes, of the ten distinct images before the one
    at a place, the newest one's by default; None if there are fewer than three. Tags of
    one digest are one image.
    """
    sizes: dict[Digest, int] = {}
    for place in range(at + 1, len(ranking)):
        candidate = ranking[place].candidate
        if candidate.digest != ranking[at].candidate.digest:
            sizes.setdefault(candidate.digest, candidate.compressed_bytes)
        if len(sizes) == _BASELINE_MOST_IMAGES:
            break
    return baseline_of(list(sizes.values()))


def baseline_of(sizes: Sequence[int]) -> int | None:
    """The same of compressed sizes, the latest first."""
    if len(sizes) < _BASELINE_LEAST_IMAGES:
        return None
    ordered = sorted(sizes[:_BASELINE_MOST_IMAGES])
    middle = len(ordered) // 2
    return (ordered[middle] + ordered[~middle]) // 2


def times_rank(
    tag: str, pushed_at: datetime | None, moved_at: datetime | None
) -> tuple[datetime, datetime, bool]:
    """How tags compare by their times, and by being `latest`: the greater, the
    newer."""
    return pushed_at or NEVER, moved_at or NEVER, tag == "latest"


def version_rank(tag: str) -> VersionRank:
    """How tags compare where times leave it open: the greater, the newer."""
    version = find_version(tag)
    return version is not None, version or _NO_VERSION


def _times(candidate: Candidate) -> tuple[datetime, datetime, bool]:
    """How `_key` begins."""
    return times_rank(candidate.tag, candidate.pushed_at, candidate.moved_at)


def _times_and_version(
    candidate: Candidate,
) -> tuple[datetime, datetime, bool, bool, VersionKey]:
    """How `_key` goes on."""
    return *_times(candidate), *version_rank(candidate.tag)


def believed_created(created: datetime | None, now: datetime) -> datetime | None:
    """When an image was made by its config, as far as that can be true."""
    if created is None or not _EARLIEST_CREATED <= created <= now + _LATEST_TOLD:
        return None
    return created


def believed_pushed(pushed: datetime | None, now: datetime) -> datetime | None:
    """When an image was pushed by its registry, as far as that can be true."""
    if pushed is None or not _EARLIEST_PUSH <= pushed <= now + _LATEST_TOLD:
        return None
    return pushed


def _created(candidate: Candidate, now: datetime) -> datetime:
    return believed_created(candidate.created_at, now) or NEVER


def _key(candidate: Candidate, now: datetime) -> _Key:
    return (
        *_times_and_version(candidate),
        _created(candidate, now),
        natural_key(candidate.tag),
        candidate.tag,
    )


_RULES: Final[tuple[NewestBy, ...]] = (
    "pushed",
    "moved",
    "latest",
    "version",
    "version",
    "created",
    "name",
    "name",
)
_NOTHING: Final[_Key] = (NEVER, NEVER, False, False, _NO_VERSION, NEVER, (), "")


def _deciding_rule(key: _Key, other: _Key) -> NewestBy:
    for rule, mine, next_one in zip(_RULES, key, other, strict=False):
        if mine != next_one:
            return rule
    return "name"
