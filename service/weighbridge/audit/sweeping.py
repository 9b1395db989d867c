"""Holds all tags of a repository against its limits, where these say something else
than when its tags were marked last, or sizes have become known since."""

from collections.abc import Callable
from datetime import datetime

from weighbridge.audit.judged_batch import JudgedBatch
from weighbridge.audit.judging import Judging
from weighbridge.audit.over_marks import mark_over
from weighbridge.audit.writer import Writer
from weighbridge.store.judged_repository import find_judged
from weighbridge.store.locks import lock_repositories
from weighbridge.store.over_tags import PAGE, note_swept, tags_to_sweep
from weighbridge.store.session import Connection


def mark_of(judging: Judging, registry: str, repository: str) -> str:
    """What tags of a repository are marked by; "": none of them has a limit that it
    can stand over."""
    mark = judging.policies.mark_of(registry, repository)
    platforms = ",".join(map(str, judging.platforms))
    return f"{mark} {platforms}" if mark else ""


async def sweep(
    writer: Writer,
    repository_id: int,
    judging: Judging,
    clock: Callable[[], datetime],
) -> None:
    """Mark every tag anew, a page in each transaction. One that moves meanwhile is
    marked by whoever moves it. Broken off, it is begun again."""
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
    note_swept(connection, repository_id, mark, waits=waits)
    return None, waits
