"""The tags of a repository among which its newest image is, found without reading all
of them.

Times alone put most tags in their place. So tags are read by their times, the latest
first, until they lead to as many images as are looked at; only of those that came at
one moment, as in a first pass, all are read, to be compared by their names.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice
from typing import Final, NamedTuple, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    func,
    literal_column,
    not_,
    select,
)

from weighbridge.domain.digest import Digest
from weighbridge.domain.measure import CompressedConfidence, Confidence
from weighbridge.domain.newest import (
    DECIDING_IMAGES,
    NEVER,
    Candidate,
    times_rank,
    version_rank,
)
from weighbridge.domain.platform import Platform
from weighbridge.store.dialect import Rows, among_ids, listed
from weighbridge.store.image_weights import (
    COMPRESSED_BYTES,
    COMPRESSED_CONFIDENCE,
    in_scope,
)
from weighbridge.store.ledger.facts import LEADS_TO_IMAGES
from weighbridge.store.models import blobs, images, manifest_sizes, repositories, tags
from weighbridge.store.reach import headline, load_graph
from weighbridge.store.types import Moment, microseconds


@dataclass(frozen=True, slots=True)
class PageSizes:
    """How much is read at a time.

    tags:    in the first page
    targets: in the next page; each after it is eight times as long
    ahead:   targets whose images are read at once, at least
    """

    tags: int = 512
    targets: int = 64
    ahead: int = 16


_SIZES: Final = PageSizes()
_GROWTH: Final = 8
_PIECE: Final = 2_000
"""Targets whose children are in memory at once."""

# As words of the statement: for PostgreSQL two parameters are two expressions.
_never: ColumnElement[datetime] = literal_column(str(microseconds(NEVER)))
_pushed = func.coalesce(tags.c.pushed_at, _never)
_moved = func.coalesce(tags.c.moved_at, _never)
_is_latest = tags.c.name == literal_column("'latest'")
_OF_REPOSITORY: Final = (
    tags.c.repository_id == bindparam("repository"),
    tags.c.gone_at.is_(None),
)
_NEWEST_FIRST: Final = (_pushed.desc(), _moved.desc(), _is_latest.desc())
_TAGS: Final = Rows(
    select(
        tags.c.name,
        tags.c.target_id,
        tags.c.pushed_at,
        tags.c.moved_at,
        literal_column("1").label("tags"),
    )
    .where(*_OF_REPOSITORY, tags.c.target_id.is_not(None))
    .order_by(*_NEWEST_FIRST)
    .limit(bindparam("most"))
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
    select(
        tags.c.name,
        tags.c.target_id,
        tags.c.pushed_at,
        tags.c.moved_at,
        literal_column("1").label("tags"),
    )
    .join_from(tags, blobs, blobs.c.id == tags.c.target_id)
    .where(
        *_OF_REPOSITORY,
        LEADS_TO_IMAGES,
        _pushed == bindparam("pushed_at", type_=Moment()),
        _moved == bindparam("moved_at", type_=Moment()),
        _is_latest.is_(False),
    )
)
_IMAGES: Final = Rows(
    select(
        images.c.id,
        blobs.c.digest,
        images.c.created_at,
        COMPRESSED_BYTES,
        COMPRESSED_CONFIDENCE,
        manifest_sizes.c.uncompressed_bytes,
        manifest_sizes.c.uncompressed_confidence,
        images.c.layer_count,
    )
    .select_from(
        in_scope(
            images.join(blobs, blobs.c.id == images.c.id),
            select(repositories.c.scope_id)
            .where(repositories.c.id == bindparam("repository"))
            .scalar_subquery(),
        )
    )
    .where(among_ids(images.c.id))
)

_Row: TypeAlias = tuple[str, int, datetime | None, datetime | None, int]
_Times: TypeAlias = tuple[datetime, datetime, bool]


class Headline(NamedTuple):
    """The image that speaks for a target."""

    platform: Platform
    image_id: int
    digest: Digest
    created_at: datetime | None
    compressed_bytes: int
    compressed_confidence: CompressedConfidence
    uncompressed_bytes: int | None
    uncompressed_confidence: Confidence | None
    layers: int


class _Tag(NamedTuple):
    """A live tag; or of all `tags` that came to a target at one moment, some one."""

    name: str
    target: int
    pushed_at: datetime | None
    moved_at: datetime | None
    tags: int

    @property
    def times(self) -> _Times:
        return times_rank(self.name, self.pushed_at, self.moved_at)


class LeadingTags:
    """Candidates of one repository that say as much as all of them would, see
    `newest.leading`.

    candidates: tags, with the images that speak for them
    headlines:  of each candidate, by its tag
    """

    def __init__(
        self,
        connection: Connection,
        repository_id: int,
        platforms: Sequence[Platform],
        sizes: PageSizes = _SIZES,
    ) -> None:
        self.candidates: list[Candidate] = []
        self.headlines: dict[str, Headline] = {}
        self._connection = connection
        self._repository_id = repository_id
        self._platforms = platforms
        self._sizes = sizes
        self._known: dict[int, Headline | None] = {}
        self._seen: set[int] = set()
        self._digests: set[Digest] = set()
        self._find()

    @property
    def _is_enough(self) -> bool:
        return len(self._digests) >= DECIDING_IMAGES

    def _find(self) -> None:
        """First tags, because few are enough in most repositories. Where many tags lead
        to few images, from then on each target once."""
        page = self._read(_TAGS, most=self._sizes.tags)
        is_whole, most = len(page) < self._sizes.tags, self._sizes.targets
        self._add_page(page, is_whole=is_whole)
        while not (is_whole or self._is_enough):
            page = self._read(_TARGETS, most=most, seen=listed(self._seen))
            is_whole = len(page) < most
            self._add_page(page, is_whole=is_whole)
            most *= _GROWTH

    def _read(self, statement: Rows[*_Row], **parameters: object) -> list[_Tag]:
        given = {"repository": self._repository_id, **parameters}
        return [_Tag._make(row) for row in statement.read(self._connection, given)]

    def _add_page(self, page: Sequence[_Tag], *, is_whole: bool) -> None:
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
                    self._add_all_of(times)
                return
            self._look_up(targets, ahead)
            if self._is_order_needed(targets) and any(tag.tags > 1 for tag in came):
                self._add_all_of(times)
            else:
                self._add(came)

    def _look_up(self, targets: set[int], ahead: Iterator[int]) -> None:
        """Know these targets, and some of those that come next in the page."""
        missing = targets - self._known.keys()
        if missing:
            self._know(islice(ahead, max(len(missing), self._sizes.ahead)))
            self._know(missing)

    def _is_order_needed(self, targets: set[int]) -> bool:
        """Whether names decide among targets of one moment; if not, it is enough which
        images they are."""
        found = {each.digest for t in targets if (each := self._known[t]) is not None}
        is_first = not self._digests
        return is_first or len(self._digests | found) > DECIDING_IMAGES

    def _add_all_of(self, times: _Times) -> None:
        """All tags of one moment, the highest versions first, until there are enough
        images and the next version is a lower one."""
        pushed_at, moved_at, _ = times
        came = self._read(_AT, pushed_at=pushed_at, moved_at=moved_at)
        named = [(version_rank(tag.name), tag) for tag in came]
        named.sort(key=lambda pair: pair[0], reverse=True)
        start, length = 0, self._sizes.targets
        while start < len(named):
            if self._is_enough and named[start][0] != named[start - 1][0]:
                return
            piece = [tag for _, tag in named[start : start + length]]
            self._know({tag.target for tag in piece})
            self._add(piece)
            start, length = start + length, min(length * _GROWTH, _PIECE)

    def _add(self, came: Iterable[_Tag]) -> None:
        for tag in came:
            self._seen.add(tag.target)
            image = self._known[tag.target]
            if image is None:
                continue
            self._digests.add(image.digest)
            self.headlines[tag.name] = image
            self.candidates.append(
                Candidate(
                    tag=tag.name,
                    digest=image.digest,
                    pushed_at=tag.pushed_at,
                    moved_at=tag.moved_at,
                    created_at=image.created_at,
                    compressed_bytes=image.compressed_bytes,
                )
            )

    def _know(self, targets: Iterable[int]) -> None:
        new = sorted(set(targets) - self._known.keys())
        for start in range(0, len(new), _PIECE):
            piece = new[start : start + _PIECE]
            self._known |= dict.fromkeys(piece)
            self._known |= _headlines(
                self._connection, self._repository_id, piece, self._platforms
            )


def _headlines(
    connection: Connection,
    repository_id: int,
    targets: Sequence[int],
    platforms: Sequence[Platform],
) -> dict[int, Headline]:
    """Of those targets that lead to an image."""
    graph = load_graph(connection, targets)
    chosen: dict[int, tuple[Platform, int]] = {}
    for target in targets:
        if (found := headline(graph.images_of(target), platforms)) is not None:
            chosen[target] = found
    ids = listed({image for _, image in chosen.values()})
    parameters = {"ids": ids, "repository": repository_id}
    rows = {row[0]: row for row in _IMAGES.read(connection, parameters)}
    return {
        target: Headline(platform, *rows[image])
        for target, (platform, image) in chosen.items()
    }
