"""The tags of a repository among which its newest image is, found without reading all
of them.

Times alone put most tags in their place. So tags are read by their times, the latest
first, until they lead to as many images as are read; only of those that came at
one moment, as in a first crawl, all are read, to be compared by their names. Whatever
many repositories ask about their targets at once is answered by one round of queries.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from heapq import nlargest
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

from msgspec import Struct, field
from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    func,
    literal_column,
    not_,
    select,
)

from weighbridge.domain.growth.newest import (
    DECIDING_IMAGES,
    NEVER,
    Candidate,
    VersionRank,
    newest_images,
    times_rank,
    version_rank,
)
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.platform import Platform
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.facts.stored_images import load_graph
from weighbridge.store.ledger.expressions import LEADS_TO_IMAGES
from weighbridge.store.models import blobs, tags
from weighbridge.store.models.types import Moment, microseconds
from weighbridge.store.read_model.streams import Headline, read_headlines

# As words of the statement: for PostgreSQL two parameters are two expressions.
_never: ColumnElement[datetime] = literal_column(str(microseconds(NEVER)))
_pushed = func.coalesce(tags.c.pushed_at, _never)
_moved = func.coalesce(tags.c.moved_at, _never)
_is_latest = tags.c.name == literal_column("'latest'")
_OF_REPOSITORY: Final = (
    tags.c.repository_id == bindparam("repository"),
    tags.c.deleted_at.is_(None),
)
_NEWEST_FIRST: Final = (_pushed.desc(), _moved.desc(), _is_latest.desc())
_TAG: Final[tuple[ColumnElement[Any], ...]] = (
    tags.c.name,
    tags.c.target_id,
    tags.c.pushed_at,
    tags.c.moved_at,
    literal_column("1").label("tags"),
)
_TAGS: Final = Rows(
    select(*_TAG)
    .where(*_OF_REPOSITORY, tags.c.target_id.is_not(None))
    .order_by(*_NEWEST_FIRST)
    .limit(bindparam("most"))
)
_OF_MANY: Final = Rows(
    select(tags.c.repository_id, *_TAG).where(
        among_ids(tags.c.repository_id),
        tags.c.deleted_at.is_(None),
        tags.c.target_id.is_not(None),
    )
)
_TARGETS: Final = Rows(
    select(
        func.min(tags.c.name).label("name"),
        tags.c.target_id,
        tags.c.pushed_at,
        tags.c.moved_at,
        func.count().label("tags"),
    )
    .join_from(tags, blobs, blobs.c.id == tags.c.target_id)
    .where(
        *_OF_REPOSITORY,
        LEADS_TO_IMAGES,
        not_(among_ids(tags.c.target_id, "seen")),
    )
    .group_by(tags.c.target_id, tags.c.pushed_at, tags.c.moved_at, _is_latest)
    .order_by(*_NEWEST_FIRST)
    .limit(bindparam("most"))
)
_AT: Final = Rows(
    select(tags.c.name, tags.c.target_id)
    .join_from(tags, blobs, blobs.c.id == tags.c.target_id)
    .where(
        *_OF_REPOSITORY,
        LEADS_TO_IMAGES,
        _pushed == bindparam("pushed_at", type_=Moment()),
        _moved == bindparam("moved_at", type_=Moment()),
        _is_latest.is_(False),
        tags.c.name > bindparam("after"),
    )
    .order_by(tags.c.name)
    .limit(bindparam("most"))
)

Known: TypeAlias = dict[int, Headline | None]
"""The images that speak for targets, in one storage scope; None: a target leads to no
image."""
Times: TypeAlias = tuple[datetime, datetime, bool]
_Row: TypeAlias = tuple[str, int, datetime | None, datetime | None, int]


class TimedTag(NamedTuple):
    """A live tag; or of all `tags` that came to a target at one moment, some one."""

    name: str
    target: int
    pushed_at: datetime | None
    moved_at: datetime | None
    tags: int

    @property
    def times(self) -> Times:
        """How it compares by these."""
        return times_rank(self.name, self.pushed_at, self.moved_at)


def read_tags(
    connection: Connection, repository_ids: Collection[int]
) -> dict[int, list[TimedTag]]:
    """All that have a target, of repositories that have few tags."""
    found: dict[int, list[TimedTag]] = {number: [] for number in repository_ids}
    if found:
        for number, *tag in _OF_MANY.read(connection, {"ids": listed(sorted(found))}):
            found[number].append(TimedTag._make(tag))
    return found


class PageSizes(Struct, frozen=True):
    """How much is read at a time.

    tags:    in the first page
    targets: in the next page; each after it is eight times as long
    ahead:   targets whose images are read at once, at least
    names:   of tags that came at one moment
    known:   targets whose images are remembered, about
    """

    tags: int = 512
    targets: int = 64
    ahead: int = 16
    names: int = 2_000
    known: int = 8_000


_SIZES: Final = PageSizes()
_GROWTH: Final = 8
_AT_ONCE: Final = 2_000
"""Targets whose children are in memory at once."""


def find_leading(
    connection: Connection,
    scopes: Mapping[int, int],
    tags_of: Mapping[int, Sequence[TimedTag]],
    now: datetime,
    platforms: Sequence[Platform],
    sizes: PageSizes = _SIZES,
) -> dict[int, "LeadingTags"]:
    """Of several repositories, each with the storage scope in which it is weighed. They
    are in memory together: those of many tags are given one at a time.

    tags_of:   all tags of a repository, where they were read already
    platforms: in the order in which one of them speaks for an index
    """
    known: dict[int, Known] = {scope_id: {} for scope_id in scopes.values()}
    found = {
        number: LeadingTags(
            connection, number, tags_of.get(number), known[scope_id], now, sizes
        )
        for number, scope_id in scopes.items()
    }
    asking = {number: each.find() for number, each in found.items()}
    while asking:
        asked = {number: next(each, None) for number, each in asking.items()}
        wanted: dict[int, set[int]] = {}
        for number, targets in asked.items():
            if targets is None:
                del asking[number]
            else:
                wanted.setdefault(scopes[number], set()).update(targets)
        if sum(map(len, known.values())) > sizes.known:
            for each in known.values():
                each.clear()
        for scope_id, some in wanted.items():
            new = sorted(some - known[scope_id].keys())
            for start in range(0, len(new), _AT_ONCE):
                piece = new[start : start + _AT_ONCE]
                graph = load_graph(connection, piece)
                known[scope_id] |= dict.fromkeys(piece)
                known[scope_id] |= read_headlines(
                    connection, graph, piece, scope_id, platforms
                )
    return found


class LeadingTags(Struct):
    """Candidates of one repository that say as much as all of them would, see
    `newest.leading`.

    candidates: tags, with the images that speak for them
    headlines:  of each candidate, by its tag
    ripens:     whether an image's `created` is in the future, where it does not count
                yet: this changes when it does, though nothing else changes. (Dates
                beyond a year are nobody's clock running ahead.) Where times have put
                an image behind those that are read, its `created` never counts.

    _tags:  all of them, where they were read already
    _known: of the targets that `find` has just asked for, by whoever goes through it
    """

    _connection: Connection
    _repository_id: int
    _tags: Sequence[TimedTag] | None
    _known: Known
    _now: datetime
    _sizes: PageSizes
    candidates: list[Candidate] = field(default_factory=list)
    headlines: dict[str, Headline] = field(default_factory=dict)
    ripens: bool = False
    _seen: set[int] = field(default_factory=set)
    _digests: set[Digest] = field(default_factory=set)

    @property
    def _is_enough(self) -> bool:
        return len(self._digests) >= DECIDING_IMAGES

    def find(self) -> Iterator[set[int]]:
        """Go through the tags; each step yields targets that have to be known before
        the next one.

        First tags, because few are enough in most repositories. Where many tags lead
        to few images, from then on each target once.
        """
        page = self._tags
        if page is None:
            page = self._read(_TAGS, self._sizes.tags)
        is_whole, most = len(page) < self._sizes.tags, self._sizes.targets
        yield from self._add_page(page, is_whole=is_whole)
        while not (is_whole or self._is_enough):
            page = self._read(_TARGETS, most, seen=listed(self._seen))
            is_whole = len(page) < most
            yield from self._add_page(page, is_whole=is_whole)
            most *= _GROWTH

    def _add_page(
        self, page: Sequence[TimedTag], *, is_whole: bool
    ) -> Iterator[set[int]]:
        page = sorted(page, key=lambda tag: tag.times, reverse=True)
        ahead = iter(dict.fromkeys(tag.target for tag in page))
        for times, group in groupby(page, key=lambda tag: tag.times):
            if self._is_enough:
                return
            came = list(group)
            targets = {tag.target for tag in came}
            if came[-1] is page[-1] and not is_whole:
                # The page may end within this moment.
                if len(targets) > DECIDING_IMAGES:
                    yield from self._add_all_of(times)
                return
            if missing := targets - self._known.keys():
                # And some of those that come next in the page.
                most = max(len(missing), self._sizes.ahead)
                yield targets | set(islice(ahead, most))
            if self._is_order_needed(targets) and any(tag.tags > 1 for tag in came):
                yield from self._add_all_of(times)
            else:
                self._add(came)

    def _is_order_needed(self, targets: set[int]) -> bool:
        """Whether names decide among targets of one moment; if not, it is enough which
        images they are."""
        found = {each.image.digest for t in targets if (each := self._known[t])}
        is_first = not self._digests
        return is_first or len(self._digests | found) > DECIDING_IMAGES

    def _add_all_of(self, times: Times) -> Iterator[set[int]]:
        """All tags of one moment, the highest versions first, until there are enough
        images and the next version is a lower one. They may be very many: none but
        the highest ones of a page are in memory together."""
        below: VersionRank | None = None
        most = self._sizes.targets
        while not self._is_enough:
            highest = nlargest(most, self._named(times, below), key=itemgetter(0))
            if not highest:
                return
            # Where there may be more, they may be of the last one's version.
            last = highest[-1][0] if len(highest) == most else None
            whole = [(version, tag) for version, tag in highest if version != last]
            if whole:
                below = whole[-1][0]
                for start in range(0, len(whole), self._sizes.names):
                    piece = whole[start : start + self._sizes.names]
                    yield from self._add_some([tag for _, tag in piece])
            else:
                below = last
                for page in self._came_at(times):
                    tied = [tag for tag in page if version_rank(tag.name) == last]
                    yield from self._add_some(tied)
            most *= _GROWTH

    def _named(
        self, times: Times, below: VersionRank | None
    ) -> Iterator[tuple[VersionRank, TimedTag]]:
        """Tags of one moment whose versions are lower than this one."""
        for page in self._came_at(times):
            for tag in page:
                version = version_rank(tag.name)
                if below is None or version < below:
                    yield version, tag

    def _add_some(self, came: Sequence[TimedTag]) -> Iterator[set[int]]:
        """Of those that came so far only what decides is kept."""
        yield {tag.target for tag in came}
        self._add(came)
        if len(self.candidates) > self._sizes.names:
            self.candidates = newest_images(self.candidates, self._now)
            kept = {one.tag for one in self.candidates}
            self.headlines = {t: h for t, h in self.headlines.items() if t in kept}

    def _add(self, came: Iterable[TimedTag]) -> None:
        soon, late = self._now + timedelta(days=1), self._now + timedelta(days=366)
        for tag in came:
            self._seen.add(tag.target)
            headline = self._known[tag.target]
            if headline is None:
                continue
            image = headline.image
            created = image.created_at
            self.ripens |= created is not None and soon < created < late
            if not self._is_enough:
                self._digests.add(image.digest)
            self.headlines[tag.name] = headline
            self.candidates.append(
                Candidate(
                    tag=tag.name,
                    digest=image.digest,
                    pushed_at=tag.pushed_at,
                    moved_at=tag.moved_at,
                    created_at=created,
                    compressed_bytes=image.compressed_bytes,
                )
            )

    def _came_at(self, times: Times) -> Iterator[Sequence[TimedTag]]:
        """All of one moment that may lead to an image, `latest` left out, in pages."""
        most = self._sizes.names
        pushed_at, moved_at, _ = times
        given = {"repository": self._repository_id, "pushed_at": pushed_at}
        given |= {"moved_at": moved_at, "most": most}
        pushed = None if pushed_at == NEVER else pushed_at
        moved = None if moved_at == NEVER else moved_at
        after, is_whole = "", False
        while not is_whole:
            rows = _AT.read(self._connection, {**given, "after": after})
            is_whole = len(rows) < most
            if rows:
                after = rows[-1][0]
                yield [TimedTag(name, to, pushed, moved, 1) for name, to in rows]

    def _read(
        self, statement: Rows[*_Row], most: int, **parameters: object
    ) -> list[TimedTag]:
        given = {"repository": self._repository_id, "most": most, **parameters}
        return [TimedTag._make(row) for row in statement.read(self._connection, given)]
