"""What tags led to over time: aliases as one arrival, which image of a repository was
the newest when, and by how much each step grew.

Everything is ordered by when we saw it. What an image says of its own making orders
nothing: builders write the year 1 as readily as 9999.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import groupby
from typing import Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.growth.newest import (
    NaturalKey,
    VersionRank,
    baseline_of,
    believed_pushed,
    natural_key,
    times_rank,
    version_rank,
)
from weighbridge.domain.image.digest import Digest

TOGETHER: Final = timedelta(minutes=10)
"""Tags that come to one target within this time came by one push or crawl: a crawl
writes what it finds in batches, and a webhook tells of each tag by itself."""

StepBy: TypeAlias = Literal["first_seen", "moved", "deleted"]
"""Why an image became the newest: it was there when the repository was first crawled,
a tag came to it, or the tags of the one that was newer went."""


class TagMove(Struct, frozen=True):
    """A tag led to a target.

    target:    whatever tells targets apart
    seen_at:   when we first saw it lead there
    until:     when we saw that it did not any more; None: it does now
    pushed_at: what the registry or a webhook said
    is_first:  found by the first crawl of its repository: it may have led there for
               years
    """

    tag: str
    target: int
    seen_at: datetime
    until: datetime | None = None
    pushed_at: datetime | None = None
    is_first: bool = False

    @property
    def at(self) -> datetime:
        """Its place in time: when we saw it. Of what was there before we came, when it
        was pushed, as far as that is told and can be true."""
        pushed_at = believed_pushed(self.pushed_at, self.seen_at)
        if self.is_first and pushed_at is not None:
            return min(pushed_at, self.seen_at)
        return self.seen_at


class Arrival(Struct, frozen=True):
    """Tags that came to one target together, in natural order; `at`, `seen_at`: of the
    first of them; `until`: None while one of them still leads there."""

    target: int
    at: datetime
    seen_at: datetime
    until: datetime | None
    pushed_at: datetime | None
    tags: tuple[str, ...]


class NewestImage(Struct, frozen=True):
    """From `at` until `until`, or to this day, what this arrival brought was the newest
    image of its repository."""

    at: datetime
    by: StepBy
    arrival: Arrival
    until: datetime | None = None


def arrivals(moves: Iterable[TagMove]) -> list[Arrival]:
    """The moves with aliases merged, oldest first; each move is in one of them."""
    return sorted(map(_arrival, _together(moves)), key=_time)


def _time(arrival: Arrival) -> tuple[datetime, datetime, int]:
    return arrival.at, arrival.seen_at, arrival.target


def _together(moves: Iterable[TagMove]) -> Iterator[list[TagMove]]:
    """Moves that are one arrival."""
    ordered = sorted(moves, key=lambda move: (move.target, move.at, move.tag))
    for _, of_target in groupby(ordered, key=lambda move: move.target):
        found: list[TagMove] = []
        for move in of_target:
            if found and move.at - found[0].at > TOGETHER:
                yield found
                found = []
            found.append(move)
        yield found


def _arrival(moves: Sequence[TagMove]) -> Arrival:
    ends = [move.until for move in moves]
    pushes = [move.pushed_at for move in moves if move.pushed_at is not None]
    return Arrival(
        target=moves[0].target,
        at=moves[0].at,
        seen_at=min(move.seen_at for move in moves),
        until=None if None in ends else max(end for end in ends if end is not None),
        pushed_at=min(pushes, default=None),
        tags=tuple(sorted({move.tag for move in moves}, key=_natural)),
    )


def _natural(tag: str) -> tuple[NaturalKey, str]:
    return natural_key(tag), tag


def newest_over_time(
    moves: Sequence[TagMove], newest_tag: str | None = None
) -> list[NewestImage]:
    """Which target of a repository was the newest from when on, oldest first; two that
    follow one another differ. At each moment those are compared that tags led to then,
    as `newest.ranked` compares them.

    moves:      of tags that lead to images
    newest_tag: the tag of the newest image now: it comes before others of which neither
                time nor version says which is newer
    """
    ranks = {tag: _TagRank.of(tag, newest_tag) for tag in {m.tag for m in moves}}
    by_rank = sorted(moves, key=lambda move: ranks[move.tag].with_times(move))
    waiting = sorted(enumerate(by_rank), key=lambda pair: pair[1].at, reverse=True)
    together = {move: some for some in _together(moves) for move in some}
    live: list[tuple[int, TagMove]] = []
    found: list[NewestImage] = []
    for moment in sorted({t for m in moves for t in (m.at, m.until) if t is not None}):
        while waiting and waiting[-1][1].at <= moment:
            rank, move = waiting.pop()
            heappush(live, (-rank, move))
        while live and _is_over(live[0][1], moment):
            heappop(live)
        newest = live[0][1] if live else None
        last = found[-1] if found else None
        if last is not None and last.until is None:
            if newest is not None and newest.target == last.arrival.target:
                continue
            found[-1] = replace(last, until=moment)
        if newest is not None:
            by = _why(newest, moment)
            found.append(NewestImage(moment, by, _arrival(together[newest])))
    return found


class _TagRank(NamedTuple):
    """What a tag's name says of its place among others."""

    version: VersionRank
    is_newest: bool
    natural: tuple[NaturalKey, str]

    @classmethod
    def of(cls, tag: str, newest_tag: str | None) -> "_TagRank":
        return cls(version_rank(tag), tag == newest_tag, _natural(tag))

    def with_times(self, move: TagMove) -> tuple[object, ...]:
        """The greater, the newer. Whoever was there before we came was not seen to
        move."""
        moved_at = None if move.is_first else move.seen_at
        return (
            times_rank(move.tag, move.pushed_at, moved_at),
            self.version,
            self.is_newest and move.until is None,
            self.natural,
            move.seen_at,
        )


def _is_over(move: TagMove, moment: datetime) -> bool:
    return move.until is not None and move.until <= moment


def _why(newest: TagMove, moment: datetime) -> StepBy:
    if newest.at != moment:
        return "deleted"
    return "first_seen" if newest.is_first else "moved"


class StepSize(NamedTuple):
    """What a step came to: the digest of the image and its compressed bytes on a
    platform. None: there is no image for it, or it is not known."""

    platform: str
    digest: Digest
    compressed_bytes: int


class StepGrowth(NamedTuple):
    """A step against those before it.

    before:         the place of the step before it that has a size on its platform
    grown_bytes:    against that one
    baseline_bytes: the median of the ten distinct images before it, None below three
    """

    before: int | None = None
    grown_bytes: int | None = None
    baseline_bytes: int | None = None


def growth_of(steps: Sequence[StepSize | None]) -> list[StepGrowth]:
    """What each step added, oldest first. On one platform the steps add up to the last
    size less the first."""
    found: list[StepGrowth] = []
    latest: dict[str, int] = {}
    sizes: dict[str, dict[Digest, int]] = {}
    for place, step in enumerate(steps):
        if step is None:
            found.append(StepGrowth())
            continue
        known = sizes.setdefault(step.platform, {})
        earlier = [size for digest, size in known.items() if digest != step.digest]
        before = latest.get(step.platform)
        was = None if before is None else steps[before]
        grown = None if was is None else step.compressed_bytes - was.compressed_bytes
        found.append(StepGrowth(before, grown, baseline_of(earlier[::-1])))
        latest[step.platform] = place
        # As the latest: an image that comes back is as new as the move that brings it.
        known.pop(step.digest, None)
        known[step.digest] = step.compressed_bytes
    return found
