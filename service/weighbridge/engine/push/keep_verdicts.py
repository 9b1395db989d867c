"""Keeps what the registry said of pushed tags, with the verdict and the events' end."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct, field

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Image
from weighbridge.domain.registry.listing import is_mass
from weighbridge.domain.size.confidence import MeasuredBlob
from weighbridge.engine.context.crawl_context import (
    CrawlContext,
    JudgedTag,
    PushCallbacks,
    Verdict,
)
from weighbridge.engine.judge.judge import refresh_and_judge
from weighbridge.engine.measure.many_layers import (
    MEASURED_WITHIN,
    keep_answers,
    measure_images,
    sum_up,
)
from weighbridge.engine.push.push_plan import (
    EARLY_S,
    GIVE_UP,
    PushPlan,
    TagStatus,
    pushed_images,
)
from weighbridge.engine.tags.tag_request import batch_of, readings_of
from weighbridge.ports.protocols import RequestCost, urgent
from weighbridge.store.facts.blobs import find_blobs
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.leases.claiming import Claim, hold
from weighbridge.store.leases.jobs import make_due
from weighbridge.store.pushes.inbox import (
    TOO_EARLY,
    PushedTo,
    WaitingPush,
    end_check,
    note_done,
    put_off,
    take,
    worst_of,
)
from weighbridge.store.session import Connection
from weighbridge.store.sizes.blob_sizes import keep_measures
from weighbridge.store.sizes.manifest_sizes import sweep_manifests
from weighbridge.store.sizes.unmeasured import LiveManifest, waiting_of
from weighbridge.store.tags.applying import apply_deleted, apply_failures, apply_moves
from weighbridge.store.tags.judged_tags import note_said, waits_for_size

_LONGEST_S: Final = 300.0


class PushLedger(Struct):
    """The ledger's half of handling pushed tags: one transaction.

    claim: takes the repository, or returns the claim that is held
    cost:  what was asked for it; the claim is given back then. None: somebody goes on
           with it
    """

    context: CrawlContext
    callbacks: PushCallbacks
    claim: Callable[[Connection], Claim]
    plan: PushPlan
    statuses: Sequence[TagStatus]
    cost: RequestCost | None = None
    repository_id: int = 0
    judged: list[JudgedTag] = field(default_factory=list)

    def keep(self, connection: Connection) -> None:
        """Where tags point, what policies say of it, what came of the events.

        Raises StaleFence.
        """
        claim, now = self.claim(connection), self.context.clock()
        self.repository_id = claim.repository_id
        hold(connection, claim, now)
        answers = [t.answer for t in self.statuses if t.answer and t.is_there]
        moves = [a.move for a in answers if a.move is not None]
        failures = [a.failure for a in answers if a.failure is not None]
        apply_moves(connection, claim, moves, now)
        apply_failures(connection, claim, failures, now)
        removed = self._removed(claim)
        apply_deleted(connection, claim, removed, now)
        said = note_said(connection, claim, self._said())
        refresh_and_judge(
            connection,
            [claim.repository_id],
            now,
            self.context.judging(),
            is_waiting=said,
        )
        self.plan.settle(connection, now)
        note_statuses(connection, self.statuses, now, removed)
        self.judged = self._verdicts(connection)
        self._have_measured(connection, [move.name for move in moves], now)
        if self.cost is not None:
            end_check(
                connection,
                claim,
                now,
                requests=self.cost.requests,
                bytes_read=self.cost.bytes_read,
                is_there=bool(moves or failures),
                is_due=bool(self.plan.whole or self._lost() - set(removed)),
            )

    def _have_measured(
        self, connection: Connection, names: Sequence[str], now: datetime
    ) -> None:
        """Whoever measures at once does not take that back: others rely on it."""
        job = self.callbacks.measuring
        if job is not None and waits_for_size(connection, self.repository_id, names):
            # It measures right after its verdict, unless that ends its process.
            # The last lock of the transaction: nobody has it and waits for another.
            make_due(connection, job, now + MEASURED_WITHIN)

    def _said(self) -> list[str]:
        """Tags that are what we knew, and of which an event says that they are that
        since just now: a crawl was faster."""
        same = {t.pushed.name: t.pushed for t in self.statuses if t.outcome == "same"}
        return [
            name
            for name, known in self.plan.known.items()
            if name in same and same[name].tells_of(known.digest)
        ]

    def _unlisted(self) -> set[str]:
        """Tags that we know and that the registry says are not there."""
        absent = {t.pushed.name for t in self.statuses if t.is_absent}
        return absent & self.plan.known.keys()

    def _lost(self) -> set[str]:
        """Of these, the ones that nobody is asked about again."""
        return self._unlisted() - {t.pushed.name for t in self.statuses if t.early}

    def _removed(self, claim: Claim) -> list[str]:
        """Of these, the ones that somebody said were deleted. The others, and too many
        at once, are decided by a whole crawl: one that is asked too much answers so
        too."""
        deleted = {t.pushed.name for t in self.statuses if t.pushed.is_delete}
        removed = sorted(self._unlisted() & deleted)
        return [] if is_mass(len(removed), claim.tags) else removed

    def _verdicts(self, connection: Connection) -> list[JudgedTag]:
        heard = [t for t in self.statuses if t.is_there and t.early < set(t.pushed.ids)]
        worst = worst_of(connection, self.repository_id, [t.pushed.name for t in heard])
        return [_judged(t, worst.get(t.pushed.name, set())) for t in heard]


async def keep(
    ledger: PushLedger,
    words: Mapping[Digest, MeasuredBlob],
    scope: Callable[[Connection], int],
) -> None:
    """Keep what an attempt has learned: facts, what the registry said of their layers,
    and then the ledger that is judged by it; on SQLite all of it at once.

    words: what the registry said of layers that are new in the storage scope
    scope: finds the storage scope, or makes it
    """
    context = ledger.context
    writer, now = context.writer, context.clock()
    batch = batch_of([t.answer for t in ledger.statuses if t.answer is not None])
    digests = [image.digest for image in pushed_images(ledger.statuses)]

    def at_once(connection: Connection) -> int:
        learned = 0
        if batch.has_facts:
            keep_documents(connection, batch.documents, batch.missing)
        if digests:
            scope_id = scope(connection)
            keep_measures(connection, scope_id, words, now)
            ids = _ids_of(connection, digests)
            swept = sweep_manifests(connection, scope_id, ids, now, is_partial=True)
            learned = swept.learned
        ledger.keep(connection)
        return learned

    if writer.settles_at_once:
        if learned := await writer.write(at_once):
            context.count_conflicts("manifest", learned)
    else:
        if batch.has_facts:
            await writer.write(keep_documents, batch.documents, batch.missing)
        if digests:
            scope_id = await writer.write(scope)
            await keep_answers(
                writer, {(scope_id, d): m for d, m in words.items()}, now
            )
            ids = await writer.read(_ids_of, digests)
            places = [LiveManifest(0, number, scope_id) for number in ids]
            await sum_up(context, places, is_partial=True)
        await writer.write(ledger.keep)
    for reading in readings_of(batch.answers):
        context.reader.forget(reading)


def _ids_of(connection: Connection, digests: Sequence[Digest]) -> list[int]:
    return [blob.id for blob in find_blobs(connection, digests).values()]


async def after_writing(ledger: PushLedger) -> None:
    """Tell of the verdict; then measure what is new, and judge that too."""
    context, callbacks = ledger.context, ledger.callbacks
    callbacks.judged(ledger.judged)
    # What may have to be measured: what tags point at now, and what was read.
    moves = [t.answer.move for t in ledger.statuses if t.answer and t.answer.move]
    images = [move.digest for move in moves]
    images += [image.digest for image in pushed_images(ledger.statuses)]
    places = await context.writer.read(
        waiting_of, ledger.repository_id, list(dict.fromkeys(images))
    )
    if places:
        with urgent():
            await measure_images(context, places)
        await context.writer.write(_judge_again, context, ledger.repository_id)
        callbacks.judged(())
    await context.writer.settle()


def _judge_again(
    connection: Connection, context: CrawlContext, repository_id: int
) -> None:
    # What the newest image weighs may be another number now.
    now, judging = context.clock(), context.judging()
    refresh_and_judge(connection, [repository_id], now, judging, is_waiting=True)


def note_statuses(
    connection: Connection,
    statuses: Sequence[TagStatus],
    now: datetime,
    removed: Sequence[str] = (),
) -> None:
    """Keep what came of the events; those without an answer, and those that came
    before the registry was ready, are due again later."""
    later: dict[int, tuple[timedelta, str]] = {}
    for one in statuses:
        for event in one.pushed.events:
            if (wait := _wait(one, event, now)) is not None:
                why = TOO_EARLY if event.id in one.early else one.why
                later[event.id] = (wait, why)
    for wait, why in set(later.values()):
        ids = [event for event, it in later.items() if it == (wait, why)]
        put_off(connection, ids, now + wait, why)
    # The deletion of a digest is an event of several tags.
    for one in statuses:
        outcome = "deleted" if one.pushed.name in removed else one.outcome
        note_done(connection, set(one.pushed.ids) - later.keys(), outcome, now)


def _wait(status: TagStatus, event: WaitingPush, now: datetime) -> timedelta | None:
    """How long an event waits for the next attempt; None: it is done."""
    if event.id in status.early:
        return timedelta(seconds=EARLY_S[event.attempts])
    if status.is_heard or event.received_at <= now - GIVE_UP:
        return None
    return max(backoff(event.attempts), timedelta(seconds=status.wait_s))


def put_all_off(connection: Connection, to: PushedTo, now: datetime, why: str) -> None:
    """Put everything off that is due: nothing could be asked."""
    waits: dict[datetime, list[int]] = {}
    for push in take(connection, to, now):
        waits.setdefault(now + backoff(push.attempts), []).append(push.id)
    for due_at, ids in waits.items():
        put_off(connection, ids, due_at, why)


def backoff(attempts: int) -> timedelta:
    """How long a push waits after so many attempts in vain."""
    return timedelta(seconds=min(2.0 ** min(attempts, 10), _LONGEST_S))


def _judged(status: TagStatus, severities: set[str]) -> JudgedTag:
    answer = status.answer
    reading = None if answer is None else answer.reading
    verdict: Verdict = "pass"
    if answer is None or answer.failure is not None:
        verdict = "error"
    elif "critical" in severities:
        verdict = "fail"
    elif severities:
        verdict = "warn"
    documents = () if reading is None else reading.documents
    return JudgedTag(
        status.pushed.name,
        status.outcome,
        verdict,
        status.pushed.received_at,
        tuple(d.compressed_bytes for d in documents if isinstance(d, Image)),
    )
