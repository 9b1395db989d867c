"""Finds repositories of which policies say something else than they did.

Whoever lowers a limit, or raises one, changes what is over it without a push.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple, TypeVar

from msgspec import Struct

from weighbridge.domain.policy.policy import LimitedNumbers, PolicySet, verdict
from weighbridge.engine.judge.judge import (
    judge_many,
    judge_standing,
    refresh_and_judge,
)
from weighbridge.engine.judge.judged_batch import Judging
from weighbridge.engine.judge.over_limit_marks import (
    mark_of,
    sweep_many,
    sweep_page,
)
from weighbridge.engine.writer.writer import TOGETHER, Writer, by_size, pieces
from weighbridge.store.models.types import bounded
from weighbridge.store.read_model.summaries import (
    JUDGED_AT_ONCE,
    JudgedRepository,
    judged_page,
    stale_repositories,
)
from weighbridge.store.session import Connection
from weighbridge.store.tags.judged_tags import PAGE as TAGS_SWEPT
from weighbridge.store.tags.judged_tags import unjudged_repositories
from weighbridge.store.violations.violation_rows import OpenViolation, find_open


class Changed(NamedTuple):
    """Repositories of which policies say something else than they did.

    to_judge: violations would open or end
    to_sweep: their tags were marked by other limits, or by sizes that were not known;
              how many tags each has
    after:    what to go on after; None: these were the last
    """

    to_judge: list[int]
    to_sweep: dict[int, int]
    after: int | None


def find_changed(
    connection: Connection, registry_id: int, after: int, judging: Judging
) -> Changed:
    """The next ones, of at most `JUDGED_AT_ONCE` repositories."""
    page = judged_page(connection, registry_id, after)
    policies = judging.policies
    found = find_open(connection, [each.id for each in page])
    to_judge = [
        each.id for each in page if is_changed(each, found.get(each.id, ()), policies)
    ]
    to_sweep = {
        each.id: each.tag_count
        for each in page
        if each.limits_mark != mark_of(judging, each.registry, each.name)
    }
    following = page[-1].id if len(page) == JUDGED_AT_ONCE else None
    return Changed(to_judge, to_sweep, following)


def is_changed(
    repository: JudgedRepository,
    violations: Sequence[OpenViolation],
    policies: PolicySet,
) -> bool:
    """Whether a violation is of a limit that is not set so any more, or what is newest
    is over one and has none. The size of the largest layer is not known here."""
    if any(_is_outdated(each, repository, policies) for each in violations):
        return True
    known = {
        violation.key.limit_key
        for violation in violations
        if violation.image_id in (None, repository.newest_image_id)
    }
    return not _exceeded(repository, policies) <= known


def _is_outdated(
    violation: OpenViolation, repository: JudgedRepository, policies: PolicySet
) -> bool:
    of, tag = violation.key, violation.tag or ""
    for decided in policies.explain(repository.registry, repository.name, tag):
        if (
            decided.key != of.limit_key
            or decided.policy is None
            or decided.value is None
        ):
            continue
        if decided.policy.name != of.policy:
            return True
        # What growth is too much depends on the images before.
        return (
            of.limit_key != "max_growth"
            and bounded(int(decided.value)) != violation.limit_amount
        )
    return True


def _exceeded(newest: JudgedRepository, policies: PolicySet) -> set[str]:
    found = set()
    if newest.newest_tag is not None:
        limits = policies.limits_of(newest.registry, newest.name, newest.newest_tag)
        is_estimate = newest.newest_uncompressed_confidence in ("estimate", "unknown")
        size = None if is_estimate else newest.newest_uncompressed_bytes
        measured = LimitedNumbers(
            compressed_bytes=newest.newest_compressed_bytes,
            uncompressed_bytes=size,
            layers=newest.newest_layers,
        )
        found |= {f.key for f in verdict(limits, measured) if f.keeping == "over"}
    limits = policies.limits_of(newest.registry, newest.name, "")
    measured = LimitedNumbers(deduplicated_bytes=newest.deduplicated_bytes)
    return found | {
        f.key
        for f in verdict(limits, measured)
        if f.key == "max_deduplicated" and f.keeping == "over"
    }


Item = TypeVar("Item")
Done = TypeVar("Done")

TAGS: Final = 500
"""So many are judged together, of several repositories."""


class Rejudging(Struct):
    """Brings repositories of one registry up to date that others have changed."""

    writer: Writer
    registry_id: int
    judging: Callable[[], Judging]
    clock: Callable[[], datetime]

    async def refresh_stale(self) -> None:
        """A crawl makes its own repository's row anew. Others are behind where a child
        of their indexes came with this crawl, or where a crawl was stopped."""
        stale = await self.writer.read(stale_repositories, self.registry_id)
        for some in pieces(stale, TOGETHER):
            await self._write(refresh_and_judge, some)
        if self.judging().is_judging:
            await self._judge_what_waits()
            await self._judge_what_stands()

    async def _judge_what_waits(self) -> None:
        """Tags that were more than fit into one transaction, and those whose image has
        been measured since."""
        waiting = await self.writer.read(unjudged_repositories, self.registry_id)
        for some in by_size(waiting, TAGS):
            left = await self._write(judge_many, some)
            for number, last in left.items():
                more = {number: last}
                while more:
                    judge_more = partial(judge_many, after=more[number])
                    more = await self._write(judge_more, [number])

    async def _judge_what_stands(self) -> None:
        """Judge repositories again where that would change something."""
        after: int | None = 0
        while after is not None:
            found = await self.writer.read(
                find_changed, self.registry_id, after, self.judging()
            )
            for repository_id in found.to_judge:
                await self._write(judge_standing, repository_id)
            for some in by_size(found.to_sweep, TAGS_SWEPT):
                await self._sweep(some)
            after = found.after

    async def _sweep(self, repository_ids: Sequence[int]) -> None:
        """Mark every tag of repositories anew, as many in each transaction as a page
        holds. One that moves meanwhile is marked by whoever moves it. Broken off, it is
        begun again."""
        if len(repository_ids) > 1:
            await self._write(sweep_many, repository_ids)
            return
        judging, waits = self.judging(), False
        after: str | None = ""
        while after is not None:
            after, waits = await self.writer.write(
                sweep_page, repository_ids[0], after, self.clock(), judging, waits=waits
            )

    async def _write(
        self, judge: Callable[[Connection, Item, datetime, Judging], Done], about: Item
    ) -> Done:
        return await self.writer.write(judge, about, self.clock(), self.judging())
