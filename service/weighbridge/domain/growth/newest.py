"""Which image of a repository is the newest, and what those before it weighed."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.growth.version import (
    NaturalKey,
    VersionKey,
    find_version,
    natural_key,
)
from weighbridge.domain.image.digest import Digest

# Builders that want the same digest twice write the epoch, or 1 January 1980 (what
# zip can hold at least); neither is when anything was made.
_EARLIEST_CREATED: Final = datetime(1980, 1, 2, tzinfo=UTC)
_LATEST_CREATED: Final = timedelta(days=1)

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


def _created(candidate: Candidate, now: datetime) -> datetime:
    """When the image was made, as far as that can be true."""
    created = candidate.created_at
    if created is None or not _EARLIEST_CREATED <= created <= now + _LATEST_CREATED:
        return NEVER
    return created


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
