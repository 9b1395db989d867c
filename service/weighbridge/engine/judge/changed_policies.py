"""Finds repositories of which policies say something else than they did.

Whoever lowers a limit, or raises one, changes what is over it without a push.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple

from weighbridge.domain.policy.policy import PolicySet
from weighbridge.domain.policy.verdict import LimitedNumbers, verdict
from weighbridge.engine.judge.criteria import Judging
from weighbridge.engine.judge.judge import (
    judge,
    judge_many,
    judge_standing,
    refresh_and_judge_many,
)
from weighbridge.engine.judge.over_limit_marks import mark_of, sweep
from weighbridge.engine.writer.writer import TOGETHER, Writer, by_size, pieces
from weighbridge.store.models.types import bounded
from weighbridge.store.read_model.summaries import stale_repositories
from weighbridge.store.session import Connection
from weighbridge.store.tags.unjudged import unjudged_repositories
from weighbridge.store.violations.standing import (
    PAGE,
    RepositoryStanding,
    StandingViolation,
    read_standing,
)


async def judge_what_stands(
    writer: Writer,
    registry_id: int,
    judging: Callable[[], Judging],
    clock: Callable[[], datetime],
) -> None:
    """Judge repositories again where that would change something."""
    after: int | None = 0
    while after is not None:
        found = await writer.read(find_changed, registry_id, after, judging())
        for repository_id in found.to_judge:
            await writer.write(judge_standing, repository_id, clock(), judging())
        await sweep(writer, found.to_sweep, judging, clock)
        after = found.after


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
    """The next ones, of at most `PAGE` repositories."""
    page = read_standing(connection, registry_id, after)
    to_judge = [one.newest.id for one in page if is_changed(one, judging.policies)]
    to_sweep = {
        newest.id: newest.tag_count
        for newest in (one.newest for one in page)
        if newest.limits_mark != mark_of(judging, newest.registry, newest.name)
    }
    following = page[-1].newest.id if len(page) == PAGE else None
    return Changed(to_judge, to_sweep, following)


def is_changed(standing: RepositoryStanding, policies: PolicySet) -> bool:
    """Whether a violation is of a limit that is not set so any more, or what is newest
    is over one and has none. The size of the largest layer is not known here."""
    if any(_is_outdated(v, standing, policies) for v in standing.violations):
        return True
    newest = standing.newest
    known = {
        violation.limit_key
        for violation in standing.violations
        if violation.image_id in (None, newest.image_id)
    }
    return not _exceeded(standing, policies) <= known


def _is_outdated(
    violation: StandingViolation, standing: RepositoryStanding, policies: PolicySet
) -> bool:
    newest, key = standing.newest, violation.limit_key
    for decided in policies.explain(newest.registry, newest.name, violation.tag or ""):
        if decided.key != key or decided.policy is None or decided.value is None:
            continue
        if decided.policy.name != violation.policy:
            return True
        # What growth is too much depends on the images before.
        return (
            key != "max_growth"
            and bounded(int(decided.value)) != violation.limit_amount
        )
    return True


def _exceeded(standing: RepositoryStanding, policies: PolicySet) -> set[str]:
    newest = standing.newest
    found = set()
    if newest.tag is not None:
        limits = policies.limits_of(newest.registry, newest.name, newest.tag)
        is_estimate = newest.uncompressed_confidence in ("estimate", "unknown")
        measured = LimitedNumbers(
            compressed_bytes=newest.compressed_bytes,
            uncompressed_bytes=None if is_estimate else newest.uncompressed_bytes,
            layers=newest.layers,
        )
        found |= {f.key for f in verdict(limits, measured) if f.keeping == "over"}
    limits = policies.limits_of(newest.registry, newest.name, "")
    measured = LimitedNumbers(deduplicated_bytes=newest.deduplicated_bytes)
    return found | {
        f.key
        for f in verdict(limits, measured)
        if f.key == "max_deduplicated" and f.keeping == "over"
    }


TAGS: Final = 500
"""So many are judged together, of several repositories."""


async def refresh_stale(
    writer: Writer,
    registry_id: int,
    judging: Callable[[], Judging],
    clock: Callable[[], datetime],
) -> None:
    """A crawl makes its own repository's row anew. Others are behind where a child of
    their indexes came with this crawl, or where a crawl was stopped."""
    for some in pieces(await writer.read(stale_repositories, registry_id), TOGETHER):
        await writer.write(refresh_and_judge_many, some, clock(), judging())
    if judging().is_judging:
        await _judge_what_waits(writer, registry_id, judging, clock)
        await judge_what_stands(writer, registry_id, judging, clock)


async def _judge_what_waits(
    writer: Writer,
    registry_id: int,
    judging: Callable[[], Judging],
    clock: Callable[[], datetime],
) -> None:
    """Tags that were more than fit into one transaction, and those whose image has
    been measured since."""
    waiting = await writer.read(unjudged_repositories, registry_id)
    for some in by_size(waiting, TAGS):
        left = await writer.write(judge_many, some, clock(), judging())
        for repository_id, last in left.items():
            after: int | None = last
            while after is not None:
                after = await writer.write(
                    judge, repository_id, clock(), judging(), after=after
                )
