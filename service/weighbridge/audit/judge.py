"""Judges what changed in a repository: violations opened, carried on, ended.

All of it happens in the transaction that brought the repository's summary up to
date, so that what was stored and what is said of it cannot fall apart.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from weighbridge.audit.episodes import Episodes
from weighbridge.audit.in_force import InForce
from weighbridge.audit.judged_streams import judge_images
from weighbridge.audit.judging import Judging
from weighbridge.audit.over_marks import mark_over
from weighbridge.audit.sweeping import mark_of
from weighbridge.domain.verdict import limits_images
from weighbridge.store.judged_repository import find_judged
from weighbridge.store.locks import lock_repositories
from weighbridge.store.session import Connection
from weighbridge.store.summaries import refresh_if_stale
from weighbridge.store.unjudged import (
    AT_ONCE,
    UnjudgedTag,
    drop_unjudged,
    find_moved,
    find_tag,
    find_unjudged,
    keep_waiting,
)

FIRST: Final = -1
"""Before every tag."""


def refresh_and_judge(
    connection: Connection,
    repository_id: int,
    now: datetime,
    judging: Judging,
    *,
    is_waiting: bool = False,
) -> None:
    """Bring a repository's row of the read model up to date and judge what changed;
    nothing happens where nothing did.

    is_waiting: tags wait to be judged though nothing moved
    """
    is_changed = refresh_if_stale(connection, repository_id, now, judging.platforms)
    if is_changed or is_waiting:
        judge(connection, repository_id, now, judging)


def judge(
    connection: Connection,
    repository_id: int,
    now: datetime,
    judging: Judging,
    *,
    after: int = FIRST,
) -> int | None:
    """Hold policies against the tags that moved since they were judged last.

    after: the last tag that the call before has judged. Returns what to give to the
        next call, None where no more tags wait.
    """
    if not judging.is_judging:
        return None
    # No batch of it runs meanwhile: a tag that moves now is judged by whoever moved it.
    lock_repositories(connection, [repository_id])
    repository = find_judged(connection, repository_id)
    if repository is None:
        return None
    tags = find_unjudged(connection, repository_id, after)
    last = tags[-1].tag_id if len(tags) == AT_ONCE else None
    if after == FIRST and last is not None:
        # What was pushed just now does not stand behind what waits for its size.
        tags += find_moved(connection, repository_id, last)
    episodes = Episodes(connection, repository, judging, now)
    heirs: list[UnjudgedTag] = []
    if after == FIRST:
        heirs = episodes.end_what_is_over()
        if repository.complete_passes:
            episodes.judge_repository()
    moved = {tag.tag_id for tag in tags}
    heirs = [tag for tag in heirs if tag.tag_id not in moved]
    judged = judge_images(connection, repository, [*tags, *heirs], judging, now)
    in_force = InForce(connection, repository, judging.policies, now)
    unknown: set[int] = set()
    # Where nothing is limited there is no mark, or a sweep takes it away.
    if tags and mark_of(judging, repository.registry, repository.name):
        unknown = mark_over(connection, repository, tags, judging, in_force)
    episodes.judge(judged.images)
    episodes.end_orphans()
    episodes.tell()
    # A tag that is not the newest waits too: it may turn out to stand over its limit.
    waiting = {
        tag.tag_id: replace(tag, is_weighed=True)
        for tag in tags
        if tag.tag_id in unknown
    } | dict(judged.waiting)
    known = set(tags)
    more = [tag for tag in waiting.values() if tag not in known]
    keep_waiting(connection, repository_id, more)
    done = [tag.tag_id for tag in tags if tag.tag_id not in waiting]
    drop_unjudged(connection, repository_id, done)
    return last


def judge_standing(
    connection: Connection, repository_id: int, now: datetime, judging: Judging
) -> None:
    """Hold policies that have changed against what has not: the newest image, and
    those that violations are of. What is over now is nobody's push, and nobody is told
    of it; who was told of a violation is told of its end."""
    if not judging.is_judging:
        return
    lock_repositories(connection, [repository_id])
    repository = find_judged(connection, repository_id)
    if repository is None:
        return
    judging = replace(judging, is_silent=True)
    episodes = Episodes(connection, repository, judging, now)
    names = episodes.tags
    heirs = episodes.end_what_is_over()
    episodes.judge_repository()
    names |= {tag.name for tag in heirs}
    wanted = {*names, repository.newest_tag or ""}
    found = [find_tag(connection, repository_id, name) for name in sorted(wanted)]
    tags = [tag for tag in found if tag is not None]
    judged = judge_images(connection, repository, tags, judging, now)
    episodes.judge(
        image if image.tag.name in names else image.without_growth()
        for image in judged.images
    )
    episodes.end_orphans()
    episodes.tell()


def end_first_pass(
    connection: Connection, repository_id: int, now: datetime, judging: Judging
) -> None:
    """Judge a repository's newest image: its first complete pass comes to its end, and
    of what was there before us nothing else is worth a word. Nothing of it is growth:
    nobody has pushed."""
    repository = find_judged(connection, repository_id)
    if repository is None or repository.newest_tag is None or not judging.is_judging:
        return
    limits = judging.policies.limits_of(
        repository.registry, repository.name, repository.newest_tag
    )
    is_limited = limits_images(replace(limits, max_growth=None))
    if not is_limited and limits.max_deduplicated_bytes is None:
        return
    newest = find_tag(connection, repository_id, repository.newest_tag)
    if newest is None:
        return
    episodes = Episodes(connection, repository, judging, now)
    episodes.judge_repository()
    newest = replace(newest, is_silent=repository.is_silent)
    judged = judge_images(connection, repository, [newest], judging, now)
    episodes.judge(image.without_growth() for image in judged.images)
    episodes.tell()
    keep_waiting(connection, repository_id, judged.waiting.values())


def refresh_and_judge_many(
    connection: Connection,
    repository_ids: Sequence[int],
    now: datetime,
    judging: Judging,
) -> None:
    for n in repository_ids:
        refresh_and_judge(connection, n, now, judging)


def end_first_passes(
    connection: Connection,
    repository_ids: Sequence[int],
    now: datetime,
    judging: Judging,
) -> None:
    for n in repository_ids:
        end_first_pass(connection, n, now, judging)
