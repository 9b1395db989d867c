"""Makes the rows of the read model anew that are behind what is known, and judges."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from weighbridge.engine.judge.changed_policies import judge_what_stands
from weighbridge.engine.judge.criteria import Judging
from weighbridge.engine.judge.judge import judge, judge_many, refresh_and_judge_many
from weighbridge.engine.writer.batches import TOGETHER, by_size, pieces
from weighbridge.engine.writer.writer import Writer
from weighbridge.store.read_model.summaries import stale_repositories
from weighbridge.store.tags.unjudged import unjudged_repositories

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
