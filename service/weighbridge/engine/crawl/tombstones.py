"""Makes tombstones of the repositories and tags of which a crawl is sure that the
registry has them no more."""

from collections.abc import Callable, Container, Set
from datetime import datetime
from typing import Final

from msgspec import Struct, field

from weighbridge.domain.registry.listing import is_mass
from weighbridge.engine.context.crawl_context import CrawlContext
from weighbridge.engine.context.parts import Scope
from weighbridge.engine.judge.judge import refresh_and_judge
from weighbridge.engine.judge.judged_batch import Judging
from weighbridge.engine.writer.writer import Writer, pieces
from weighbridge.errors import StaleFence
from weighbridge.store.leases.claiming import Claim, claim, release
from weighbridge.store.leases.validity import one_claim, this_process
from weighbridge.store.registries.registry_rows import (
    forget_held,
    held_removals,
    hold_removals,
)
from weighbridge.store.registries.repository_rows import (
    LiveRepository,
    delete_repository,
    delete_tags,
    is_missing,
    mark_listed,
    missing_for_good,
    standing_page,
)
from weighbridge.store.tags.applying import apply_deleted, live_tags

DELETED_AT_ONCE: Final = 1_000
"""Tags that are deleted in one transaction."""


async def delete_unlisted(
    context: CrawlContext, claim: Claim, seen: Set[str]
) -> tuple[int, frozenset[str]]:
    """How many are gone, and those that must wait for a second crawl that agrees, since
    too much is missing at once."""
    known = await context.writer.read(live_tags, claim.repository_id)
    live = frozenset(filter(context.wants_tag, known))
    absent = live - seen
    if is_mass(len(absent), len(live)) and not absent <= claim.held:
        return 0, absent
    for names in pieces(sorted(absent), DELETED_AT_ONCE):
        await context.writer.write(apply_deleted, claim, names, context.clock())
    return len(absent), frozenset()


PAGE: Final = 1_000
"""Repositories that are read of the database at once."""


class Catalog(Struct, frozen=True):
    """A catalog that was read to its end without a doubt.

    names:    every name
    is_empty: there is none: a registry that is asked too much says that, too
    read_at:  when its end was reached
    before:   when the end of the one before it was; None: it is the first
    """

    names: Container[str]
    is_empty: bool
    read_at: datetime
    before: datetime | None


_LEASE_S: Final = 60.0


class _RepositoryCount(Struct):
    """The repositories that this crawl is of; some of them by their ids.

    crawled:   how many there are
    held:      that the catalog before did not list
    silent:    that this one does not list, or, without one, that one before did not,
               and that have not answered for themselves since
    answering: that it does not list, and that have: of them it tells nothing
    """

    crawled: int = 0
    held: set[int] = field(default_factory=set)
    silent: set[int] = field(default_factory=set)
    answering: set[int] = field(default_factory=set)


class MissingRepositories(Struct):
    """Those of one registry that may be gone.

    catalog: as it was read to its end, or None
    scope:   what this crawl is of; about others it knows nothing new
    """

    writer: Writer
    registry_id: int
    catalog: Catalog | None
    scope: Scope
    judging: Callable[[], Judging]
    clock: Callable[[], datetime]

    async def delete(self) -> int:
        """Delete what is missing for good; returns how many wait for a second crawl,
        since more than half of what is crawled would be deleted at once.

        What a catalog no longer lists counts before it was asked for itself: workers
        ask one repository after the other, long after the catalog, and the catalog that
        finds the first half of them missing would not find more than half.
        """
        writer, number, catalog = self.writer, self.registry_id, self.catalog
        names = None if catalog is None or catalog.is_empty else catalog.names
        missing = await writer.read(missing_for_good, number, names, self.clock())
        ids = {n for n, name in missing.items() if self.scope.includes(name)}
        held = await writer.read(held_removals, number)
        counted = await self._counted(held)
        if counted.answering:
            await writer.write(mark_listed, counted.answering, is_listed=False)
        unlisted, others = ids | counted.silent, held - counted.held
        if is_mass(len(unlisted - held), counted.crawled - len(counted.held)):
            count = len(unlisted)
            await writer.write(hold_removals, number, unlisted | others, count)
            return count
        for repository_id in sorted(ids):
            await self._delete(repository_id)
            await writer.write(forget_held, number, repository_id)
        if catalog is None:
            return 0
        left, waiting = counted.silent - ids, 0
        # A catalog of nothing agrees with nothing.
        if names is None and is_mass(len(left), counted.crawled):
            waiting = len(left)
        await writer.write(hold_removals, number, left | others, waiting)
        return waiting

    async def _counted(self, held: frozenset[int]) -> _RepositoryCount:
        catalog, counted, after = self.catalog, _RepositoryCount(), 0
        while page := await self.writer.read(
            standing_page, self.registry_id, after, PAGE
        ):
            after = page[-1].repository_id
            for one in page:
                if not self.scope.includes(one.repository):
                    continue
                counted.crawled += 1
                is_held = one.repository_id in held
                if is_held:
                    counted.held.add(one.repository_id)
                if catalog is None:
                    continue
                if one.was_listed and one.repository not in catalog.names:
                    has_answered = _has_answered(one, catalog, is_held=is_held)
                    unlisted = counted.answering if has_answered else counted.silent
                    unlisted.add(one.repository_id)
        if catalog is None:
            counted.silent = set(counted.held)
        return counted

    async def _delete(self, repository_id: int) -> None:
        writer, clock = self.writer, self.clock
        claimed = await writer.write(
            claim,
            repository_id,
            now=clock(),
            lease_s=_LEASE_S,
            owner=one_claim(this_process()),
        )
        if claimed is None:
            return  # Another process crawls it now, and knows better.
        try:
            if not await writer.write(is_missing, claimed, clock()):
                await writer.write(release, [claimed])
                return  # Another process has found it before we claimed it.
            deleted: str | None = ""
            while deleted is not None:
                deleted = await writer.write(delete_tags, claimed, clock(), deleted)
            await writer.write(
                refresh_and_judge, [repository_id], clock(), self.judging()
            )
            await writer.write(delete_repository, claimed, clock())
        except StaleFence:
            return


def _has_answered(one: LiveRepository, catalog: Catalog, *, is_held: bool) -> bool:
    """Whether it was there after a catalog no longer listed it."""
    at = one.last_crawl_at
    if at is None or one.state not in ("ok", "partial"):
        return False
    is_after_both = is_held and catalog.before is not None and at >= catalog.before
    return at >= catalog.read_at or is_after_both
