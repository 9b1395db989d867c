"""Ends the crawls of many repositories together: kept, summed up, judged, closed."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from weighbridge.engine.crawl.repository.write_steps import WriteStep, apply_steps
from weighbridge.engine.judge.criteria import Judging
from weighbridge.engine.judge.judge import end_first_crawls, refresh_and_judge_many
from weighbridge.engine.measure.many_layers import MEASURED_WITHIN
from weighbridge.errors import StoreError
from weighbridge.store.crawls.closing import Closing, close_many
from weighbridge.store.leases.claiming import lock_ours
from weighbridge.store.leases.jobs import Job, make_due
from weighbridge.store.pushes.push_queue import note_done
from weighbridge.store.read_model.summaries import refresh_many
from weighbridge.store.session import Connection


class CrawlEnd(Struct, frozen=True):
    """A crawl that has come to its end.

    step:   the only batch of it, kept by the transaction that ends it; None: whatever
        there was is kept
    pushes: that it answers, by their ids
    measuring: the job that asks for the layers of what it has found, or None
    """

    closing: Closing
    judging: Judging
    step: WriteStep | None = None
    pushes: Sequence[int] = ()
    measuring: Job | None = None

    @property
    def repository_id(self) -> int:
        return self.closing.claim.repository_id

    @property
    def is_first(self) -> bool:
        """Whether no crawl of the repository was complete before."""
        return self.closing.claim.crawl_number == 0


def finish_many(
    connection: Connection, endings: Sequence[CrawlEnd]
) -> list[StoreError | None]:
    """Keep what waits, bring the read model up to date, judge what changed, and close.

    An error for each of which nothing is kept: another process has it, or its data
    breaks a rule.
    """
    going = _ours(connection, endings)
    failed = _keep(connection, going)
    going = [ending for ending in going if id(ending) not in failed]
    _sum_up(connection, going)
    _answer_pushes(connection, going)
    # With those that are not ours: they may have been closed before.
    closed = [ending for ending in endings if id(ending) not in failed]
    lost = close_many(connection, [ending.closing for ending in closed])
    failed |= _errors(closed, lost)
    _have_measured(connection, [e for e in closed if id(e) not in failed])
    return [failed.get(id(ending)) for ending in endings]


def _ours(connection: Connection, endings: Sequence[CrawlEnd]) -> list[CrawlEnd]:
    """Those whose claims hold still, and that nobody takes over until we commit."""
    latest: dict[int, CrawlEnd] = {}
    for ending in sorted(endings, key=lambda e: e.closing.claim.fence):
        latest[ending.repository_id] = ending
    held = lock_ours(connection, [e.closing.claim for e in latest.values()])
    return [e for number, e in sorted(latest.items()) if number in held]


def _keep(connection: Connection, endings: Sequence[CrawlEnd]) -> dict[int, StoreError]:
    """Their only batches; what went wrong, by the ending's identity."""
    with_steps = [e for e in endings if e.step is not None]
    applied = apply_steps(connection, [e.step for e in with_steps if e.step])
    return _errors(with_steps, applied)


def _errors(
    endings: Sequence[CrawlEnd], answers: Sequence[object]
) -> dict[int, StoreError]:
    return {
        id(ending): answer
        for ending, answer in zip(endings, answers, strict=True)
        if isinstance(answer, StoreError)
    }


def _sum_up(connection: Connection, endings: Sequence[CrawlEnd]) -> None:
    for judging, group in _alike(endings):
        now = max(ending.closing.now for ending in group)
        again = [e.repository_id for e in group if not e.is_first]
        refresh_and_judge_many(connection, again, now, judging)
        first = [e for e in group if e.is_first]
        refresh_many(
            connection, [e.repository_id for e in first], now, judging.platforms
        )
        complete = [e.repository_id for e in first if e.closing.result.complete]
        end_first_crawls(connection, complete, now, judging)


def _alike(endings: Sequence[CrawlEnd]) -> list[tuple[Judging, list[CrawlEnd]]]:
    """Those that are judged by the same together."""
    groups: list[tuple[Judging, list[CrawlEnd]]] = []
    for ending in endings:
        for judging, group in groups:
            if judging == ending.judging:
                group.append(ending)
                break
        else:
            groups.append((ending.judging, [ending]))
    return groups


def _have_measured(connection: Connection, endings: Sequence[CrawlEnd]) -> None:
    """Soon after; whoever crawls asks for it sooner, unless its process ends."""
    due: dict[Job, datetime] = {}
    for ending in endings:
        result = ending.closing.result
        if ending.measuring is not None and (result.tags_new or result.tags_moved):
            due.setdefault(ending.measuring, ending.closing.now + MEASURED_WITHIN)
    for job, at in sorted(due.items()):
        # The last lock of the transaction: nobody has it and waits for another.
        make_due(connection, job, at)


def _answer_pushes(connection: Connection, endings: Sequence[CrawlEnd]) -> None:
    """A crawl that did not come to the end of the listing has answered nothing."""
    for ending in endings:
        result = ending.closing.result
        if ending.pushes and (result.complete or result.state == "missing"):
            note_done(connection, ending.pushes, "looked", ending.closing.now)
