"""The tags of a repository among which its newest image is, found without reading all
of them.

Times alone put most tags in their place. So tags are read by their times, the latest
first, until they lead to as many images as are looked at; only of those that came at
one moment, as in a first pass, all are read, to be compared by their names. Whatever
many repositories ask about their targets at once is answered by one round of queries.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Final

from sqlalchemy import Connection

from weighbridge.domain.digest import Digest
from weighbridge.domain.newest import DECIDING_IMAGES, Candidate, version_rank
from weighbridge.domain.platform import Platform
from weighbridge.store.headlines import Headline, Headlines
from weighbridge.store.tags_by_time import TagPages, TimedTag, Times


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
_LONGEST: Final = 2_000
"""Tags of one moment that are compared at once."""


@dataclass(frozen=True, slots=True)
class ScopedPages:
    """The tags of a repository, and the storage scope in which they are weighed."""

    scope_id: int
    pages: TagPages


def find_leading(
    connection: Connection,
    several: Mapping[int, ScopedPages],
    platforms: Sequence[Platform],
    sizes: PageSizes = _SIZES,
) -> dict[int, "LeadingTags"]:
    """Of several repositories. They are in memory together: those of many tags are
    given one at a time.

    platforms: in the order in which one of them speaks for an index
    """
    headlines = Headlines(connection, platforms)
    found = {
        number: LeadingTags(each.pages, headlines.known(each.scope_id), sizes)
        for number, each in several.items()
    }
    asking = {number: each.find() for number, each in found.items()}
    while asking:
        asked = {number: next(each, None) for number, each in asking.items()}
        wanted: dict[int, set[int]] = {}
        for number, targets in asked.items():
            if targets is None:
                del asking[number]
            else:
                scope_id = several[number].scope_id
                wanted.setdefault(scope_id, set()).update(targets)
        headlines.read(wanted)
    return found


class LeadingTags:
    """Candidates of one repository that say as much as all of them would, see
    `newest.leading`.

    candidates: tags, with the images that speak for them
    headlines:  of each candidate, by its tag
    known:      of targets; whoever goes through `find` adds to it
    """

    def __init__(
        self,
        pages: TagPages,
        known: Mapping[int, Headline | None],
        sizes: PageSizes = _SIZES,
    ) -> None:
        self.candidates: list[Candidate] = []
        self.headlines: dict[str, Headline] = {}
        self._pages = pages
        self._known = known
        self._sizes = sizes
        self._seen: set[int] = set()
        self._digests: set[Digest] = set()

    @property
    def _is_enough(self) -> bool:
        return len(self._digests) >= DECIDING_IMAGES

    def find(self) -> Iterator[set[int]]:
        """Go through the tags; each step yields targets that have to be known before
        the next one.

        First tags, because few are enough in most repositories. Where many tags lead
        to few images, from then on each target once.
        """
        page = self._pages.first(self._sizes.tags)
        is_whole, most = len(page) < self._sizes.tags, self._sizes.targets
        yield from self._add_page(page, is_whole=is_whole)
        while not (is_whole or self._is_enough):
            page = self._pages.targets(most, self._seen)
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
                yield missing | set(islice(ahead, most))
            if self._is_order_needed(targets) and any(tag.tags > 1 for tag in came):
                yield from self._add_all_of(times)
            else:
                self._add(came)

    def _is_order_needed(self, targets: set[int]) -> bool:
        """Whether names decide among targets of one moment; if not, it is enough which
        images they are."""
        found = {each.digest for t in targets if (each := self._known[t]) is not None}
        is_first = not self._digests
        return is_first or len(self._digests | found) > DECIDING_IMAGES

    def _add_all_of(self, times: Times) -> Iterator[set[int]]:
        """All tags of one moment, the highest versions first, until there are enough
        images and the next version is a lower one."""
        came = self._pages.came_at(times)
        named = [(version_rank(tag.name), tag) for tag in came]
        named.sort(key=lambda pair: pair[0], reverse=True)
        start, length = 0, self._sizes.targets
        while start < len(named):
            if self._is_enough and named[start][0] != named[start - 1][0]:
                return
            piece = [tag for _, tag in named[start : start + length]]
            yield {tag.target for tag in piece}
            self._add(piece)
            start, length = start + length, min(length * _GROWTH, _LONGEST)

    def _add(self, came: Iterable[TimedTag]) -> None:
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
