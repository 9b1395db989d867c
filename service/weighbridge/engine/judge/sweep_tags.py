"""Holds all tags of a repository against its limits, where these say something else
than when its tags were marked last, or sizes have become known since."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from weighbridge.engine.judge.criteria import Judging
from weighbridge.engine.judge.judged_batch import JudgedBatch
from weighbridge.engine.judge.over_limit_marks import mark_over
from weighbridge.engine.writer.writer import Writer, by_size
from weighbridge.store.locks import lock_repositories, lock_summaries
from weighbridge.store.session import Connection
from weighbridge.store.tags.over_tags import (
    PAGE,
    all_tags_to_sweep,
    note_swept,
    tags_to_sweep,
)
from weighbridge.store.violations.judged_repository import find_judged


def mark_of(judging: Judging, registry: str, repository: str) -> str:
    """What tags of a repository are marked by; "": none of them has a limit that it
    can stand over."""
    mark = judging.policies.mark_of(registry, repository)
    platforms = ",".join(map(str, judging.platforms))
    return f"{mark} {platforms}" if mark else ""


async def sweep(
    writer: Writer,
    tags: Mapping[int, int],
    judging: Callable[[], Judging],
    clock: Callable[[], datetime],
) -> None:
    """Mark every tag of repositories anew, as many in each transaction as a page holds.
    One that moves meanwhile is marked by whoever moves it. Broken off, it is begun
    again.

    tags: how many each repository has
    """
    for some in by_size(tags, PAGE):
        if len(some) == 1:
            await _sweep_one(writer, some[0], judging(), clock)
        else:
            await writer.write(sweep_many, some, clock(), judging())


async def _sweep_one(
    writer: Writer,
    repository_id: int,
    judging: Judging,
    clock: Callable[[], datetime],
) -> None:
    after: str | None = ""
    waits = False
    while after is not None:
        after, waits = await writer.write(
            sweep_page, repository_id, after, clock(), judging, waits=waits
        )


def sweep_page(
    connection: Connection,
    repository_id: int,
    after: str,
    now: datetime,
    judging: Judging,
    *,
    waits: bool = False,
) -> tuple[str | None, bool]:
    """Mark the next tags; what to go on after, None behind the last of them, and
    whether a size is lacking so far."""
    lock_repositories(connection, [repository_id])
    lock_summaries(connection, [repository_id])
    batch = JudgedBatch(
        connection, find_judged(connection, [repository_id]), judging, now
    )
    repository = batch.repositories.get(repository_id)
    if repository is None:
        return None, waits
    tags = tags_to_sweep(connection, repository_id, after)
    waits = bool(mark_over(batch, {repository_id: tags})[repository_id]) or waits
    if len(tags) == PAGE:
        return tags[-1].name, waits
    mark = mark_of(judging, repository.registry, repository.name)
    note_swept(connection, {repository_id: (mark, waits)})
    return None, waits


def sweep_many(
    connection: Connection,
    repository_ids: Sequence[int],
    now: datetime,
    judging: Judging,
) -> None:
    """Mark all tags of these repositories."""
    lock_repositories(connection, repository_ids)
    lock_summaries(connection, repository_ids)
    batch = JudgedBatch(
        connection, find_judged(connection, repository_ids), judging, now
    )
    unknown = mark_over(batch, all_tags_to_sweep(connection, list(batch.repositories)))
    note_swept(
        connection,
        {
            number: (mark_of(judging, each.registry, each.name), bool(unknown[number]))
            for number, each in batch.repositories.items()
        },
    )
