"""What crawls of one registry share, where no process has its parts."""

from collections.abc import Callable
from datetime import datetime

from weighbridge.engine.context.crawl_context import (
    WORD_WITHIN_S,
    CrawlContext,
    Progress,
    PushCallbacks,
    PushWatch,
    reader_of,
)
from weighbridge.engine.context.parts import Scope
from weighbridge.engine.judge.judged_batch import Judging
from weighbridge.engine.writer.writer import Writer
from weighbridge.ports.protocols import Registry


def a_context(
    registry: Registry,
    writer: Writer,
    clock: Callable[[], datetime],
    judging: Callable[[], Judging],
    *,
    scope: Scope | None = None,
    callbacks: PushCallbacks | None = None,
    word_within_s: float = WORD_WITHIN_S,
) -> CrawlContext:
    """Nobody counts anything, and there are no others."""
    return CrawlContext(
        registry=registry,
        reader=reader_of(registry, writer),
        writer=writer,
        watch=PushWatch(writer, clock),
        progress=Progress(),
        clock=clock,
        wants_tag=(scope or Scope()).wants_tag,
        interval_s=3600,
        judging=judging,
        count_manifests=lambda looked_up, unchanged: None,
        count_conflicts=lambda source, learned: None,
        shared=lambda: None,
        callbacks=callbacks,
        word_within_s=word_within_s,
    )
