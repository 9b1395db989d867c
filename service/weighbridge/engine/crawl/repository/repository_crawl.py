"""One crawl of one repository, from its tag listing to its summary.

What was not seen is not changed: a listing that breaks off keeps every tag after
the break, a tag that could not be read keeps its last good record. A tag is gone only
when a complete crawl did not see it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from weighbridge.domain import limits
from weighbridge.domain.growth.newest import believed_pushed
from weighbridge.domain.registry.listing import TagSeen, is_mass
from weighbridge.domain.report.inventory import RepositoryState
from weighbridge.engine.context.crawl_context import CrawlContext, CrawlOutcome
from weighbridge.engine.crawl.repository.ask_tags import (
    PushedMeanwhile,
    TagAsking,
    ask_for_children,
    ask_for_configs,
)
from weighbridge.engine.crawl.repository.batch_writer import BatchWriter
from weighbridge.engine.crawl.repository.chunks import ChunkSharing
from weighbridge.engine.crawl.repository.transactions import (
    CrawlEnd,
    Meanwhile,
    WriteStep,
    finish_many,
    keep_facts_apart,
)
from weighbridge.engine.tags.tag_request import wants_head_first
from weighbridge.engine.tasks.lease_renewal import Heartbeat
from weighbridge.engine.tasks.side_by_side import TaskGroup
from weighbridge.engine.writer.writer import pieces
from weighbridge.errors import (
    UNAUTHORIZED,
    DocumentError,
    NotFound,
    QuotaSpent,
    RegistryError,
    TransportError,
    WeighbridgeError,
)
from weighbridge.ports.protocols import CRAWL_COST, Registry, RequestCost
from weighbridge.store.crawls.chunks import CrawlCounts
from weighbridge.store.crawls.crawl_rows import Closing, CrawlResult, find_tag_error
from weighbridge.store.crawls.due import Opened
from weighbridge.store.leases.claiming import Claim
from weighbridge.store.sizes.blob_sizes import find_listed, keep_listed
from weighbridge.store.tags.applying import KnownTag, apply_deleted, live_tags
from weighbridge.store.traffic.pull_counts import find_later_pulls, note_tag_pulls

_TOO_MANY: Final = "too_many_tags"


def state_after(broken: WeighbridgeError, *, saw_pages: bool) -> RepositoryState:
    """broken: what ended it; saw_pages: whether some of the listing came before"""
    if saw_pages or broken.code == _TOO_MANY:
        return "partial"
    if broken.code in UNAUTHORIZED:
        return "unauthorized"
    if isinstance(broken, NotFound):
        return "missing"
    return "unreachable" if isinstance(broken, TransportError) else "error"


def too_many_tags() -> WeighbridgeError:
    """The error of a repository with more tags than are read."""
    return RegistryError(f"more than {limits.TAGS_PER_REPOSITORY} tags", code=_TOO_MANY)


KNOWN_AT_ONCE: Final = 1_000
"""Tags whose stored state is in memory at once."""


class _TagListing(Struct):
    """What the listing said."""

    seen: set[str] = field(default_factory=set)
    invalid: int = 0
    pages: int = 0
    tags_may_move: bool = False


class RepositoryCrawl:
    """One crawl of one repository that was opened for it."""

    def __init__(
        self,
        context: CrawlContext,
        begun: Opened,
        heartbeat: Heartbeat,
        asked: Callable[[], None],
    ) -> None:
        self._context = context
        self._has_asked = asked
        self._begun = begun
        self._claim = claim = begun.claim
        self._opened = begun.opened
        self._listing = _TagListing()
        self._cost = RequestCost()
        self._deleted = 0
        self._missing = ""
        self._error_before = ""
        self._shared: CrawlCounts | None = None
        self._pulled: dict[str, datetime] = {}
        self._group = group = TaskGroup()
        self._batch_writer = BatchWriter(
            context,
            claim,
            self._opened.id,
            Meanwhile(),
            self._cost,
            group,
            is_new=claim.crawl_number == 0 and not begun.has_tags,
            position=self._opened.chunks,
        )
        self._pushes = PushedMeanwhile(context, claim, self._batch_writer, group)
        head_first = wants_head_first(claim.tags, claim.manifests)
        asking = TagAsking(
            context, claim, self._opened.complete_since, head_first=head_first
        )
        self._answers = asking.answers
        self._sharing = ChunkSharing(
            context,
            heartbeat,
            begun,
            asking,
            self._batch_writer,
            group,
            head_first=head_first,
        )

    async def run(self) -> CrawlOutcome:
        """Look, keep what was learned, and record how far it came.

        A crawl that was cut off goes on where its cursor stands. Raises StaleFence if
        another process took the repository over, and StoreError; whatever the
        registry does ends in the outcome.
        """
        CRAWL_COST.set(self._cost)
        try:
            await self._pushes.read_waiting()
            return await self._run()
        finally:
            self._pushes.stop()
            # Not before all is stored: a kill would cost it.
            self._batch_writer.close()

    async def _run(self) -> CrawlOutcome:
        rest: WriteStep | None = None
        async with self._group:
            self._pushes.begin()
            if self._context.registry.has_quota and not self._lacks_nothing:
                # What an earlier crawl had to leave half-read comes first.
                in_vain = self._batch_writer.tally.asked_in_vain
                await ask_for_children(self._context, self._claim, in_vain)
            broken = await self._list_and_ask()
            self._pushes.stop()
            if broken is None and self._needs_no_more:
                rest = self._batch_writer.take_rest()
            else:
                self._batch_writer.flush()
        if self._sharing.is_any:
            self._shared = await self._sharing.sum_up()
        held = await self._remove_deleted(broken)
        if not isinstance(broken, TransportError):
            await self._ask_again()
        await self._remember_errors()
        result = self._result(broken, held)
        self._has_asked()
        await self._finish(result, self._wait_s(broken, result.reason), rest)
        await self._note_pulled()
        return CrawlOutcome(
            result,
            tuple(self._batch_writer.tally.faults),
            is_silent=isinstance(broken, TransportError),
            in_doubt=self._answers.is_in_doubt,
        )

    async def _finish(
        self, result: CrawlResult, wait_s: float, rest: WriteStep | None
    ) -> None:
        """Record it, with what was not kept yet."""
        writer, now = self._context.writer, self._context.clock()
        closing = Closing(
            self._claim,
            self._opened.id,
            result,
            now,
            now + timedelta(seconds=wait_s),
            has_chunks=self._batch_writer.has_chunks,
        )
        step = None if rest is None else await keep_facts_apart(writer, rest)
        # Of a crawl that was taken up, a part was asked before they came.
        pushes = () if self._opened.answered else self._pushes.waiting
        await writer.write_many(
            finish_many,
            CrawlEnd(
                *(closing, self._context.judging(), step, pushes),
                self._context.measuring,
            ),
        )
        if rest is not None:
            self._batch_writer.note_kept(rest)

    async def _note_pulled(self) -> None:
        """When tags were last pulled: once they are kept, all of them."""
        if not self._pulled:
            return
        writer, repository_id = self._context.writer, self._claim.repository_id
        now = self._context.clock()
        later = await writer.read(find_later_pulls, repository_id, self._pulled, now)
        for ids in pieces(later, KNOWN_AT_ONCE):
            pulled = {number: later[number] for number in ids}
            await writer.write(note_tag_pulls, pulled, now)

    @property
    def _known(self) -> Mapping[str, KnownTag] | None:
        """The live tags; None: they are to be read, as a push was handled under the
        same claim."""
        has_pushes = self._batch_writer.meanwhile.has_pushes
        return None if has_pushes else self._begun.known

    @property
    def _lacks_nothing(self) -> bool:
        """Whether all that tags lead to was whole."""
        return self._begun.is_whole and not self._batch_writer.meanwhile.has_pushes

    @property
    def _has_seen_all(self) -> bool:
        """Whether every live tag was listed: none was deleted."""
        known = self._known
        return known is not None and known.keys() <= self._listing.seen

    @property
    def _needs_no_more(self) -> bool:
        """Whether nothing is to be done between the last answer and the end."""
        is_handling = self._pushes.is_handling
        return self._lacks_nothing and self._has_seen_all and not is_handling

    async def _list_and_ask(self) -> WeighbridgeError | None:
        """The error that ended the listing, or the looking, early."""
        broken: WeighbridgeError | None = None
        try:
            async with TaskGroup() as asking:
                broken = await self._list(asking)
                await self._sharing.ask_rest(asking)
        except TransportError as exc:
            broken = exc
            await self._sharing.finish(is_broken=True)
        else:
            await self._sharing.finish(is_broken=False)
        # It may have come after the listing's end.
        return broken or self._sharing.broken or self._answers.sent_away

    async def _list(self, asking: TaskGroup) -> WeighbridgeError | None:
        """Page by page; the error that ended it early. What was listed until then
        is asked all the same."""
        try:
            async for page in self._context.registry.tags(self._claim.repository):
                self._listing.pages += 1
                self._listing.invalid += page.invalid
                self._listing.tags_may_move |= page.tags_may_move
                for tags in pieces(self._fresh(page.tags), KNOWN_AT_ONCE):
                    await compare_listed(self._context, self._claim, tags)
                    await self._sharing.ask(tags, asking, self._known)
                if ended := self._sharing.broken or self._answers.sent_away:
                    return ended
                if len(self._listing.seen) > limits.TAGS_PER_REPOSITORY:
                    return too_many_tags()
        except (RegistryError, TransportError, DocumentError) as exc:
            return exc
        return None

    def _fresh(self, tags: Iterable[TagSeen]) -> Iterator[TagSeen]:
        """The wanted tags that no earlier page had, and that were not answered
        about before the crawl was cut off: duplicates collapse. With the times of
        pushes that can be true, as later ones are compared with what is stored."""
        now = self._context.clock()
        for tag in tags:
            if tag.name in self._listing.seen or not self._context.wants_tag(tag.name):
                continue
            self._listing.seen.add(tag.name)
            self._context.progress.tags += 1
            if tag.pulled_at is not None:
                self._pulled[tag.name] = tag.pulled_at
            if tag.name not in self._opened.answered:
                pushed_at = believed_pushed(tag.pushed_at, now)
                yield replace(tag, pushed_at=pushed_at)

    async def _ask_again(self) -> None:
        """What is still missing keeps the repository `partial`."""
        if self._lacks_nothing and self._batch_writer.tally.is_plain:
            return
        in_vain = self._batch_writer.tally.asked_in_vain
        self._missing = await ask_for_children(self._context, self._claim, in_vain)
        await ask_for_configs(self._context, self._claim, in_vain)

    async def _remove_deleted(self, broken: WeighbridgeError | None) -> frozenset[str]:
        """Delete what a complete crawl did not see; returns what must wait for a
        second crawl that agrees, since too much is missing at once."""
        if broken is not None or not self._is_complete:
            return self._claim.held
        if self._has_seen_all:
            return frozenset()
        seen = self._listing.seen | self._pushes.seen
        listing = self._listing
        self._deleted, held = await delete_unlisted(
            self._context,
            self._claim,
            seen,
            is_asked=listing.tags_may_move and listing.pages > 1,
        )
        return held

    async def _remember_errors(self) -> None:
        """Tags that could not be read before the crawl was cut off speak for it too."""
        if self._opened.before.tags_failed:
            self._error_before = await self._context.writer.read(
                find_tag_error, self._claim.repository_id
            )

    @property
    def _is_complete(self) -> bool:
        """Every item was answered; with the listing's end that is a whole crawl."""
        return not self._batch_writer.tally.unanswered and not self._listing.invalid

    def _result(
        self, broken: WeighbridgeError | None, held: frozenset[str]
    ) -> CrawlResult:
        state, reason = self._state(broken, held)
        counts = self._opened.before + self._batch_writer.counts()
        if self._shared is not None:
            counts = self._shared + self._batch_writer.uncounted()
        tally = self._batch_writer.tally
        self._context.count_manifests(tally.answered, tally.unchanged)
        return CrawlResult(
            state=state,
            reason=reason,
            complete=broken is None and self._is_complete,
            tags_seen=len(self._listing.seen),
            tags_new=counts.tags_new,
            tags_moved=counts.tags_moved,
            tags_deleted=self._deleted,
            tags_failed=counts.tags_failed,
            invalid_tags=self._listing.invalid,
            requests=counts.requests,
            bytes_read=counts.bytes_read,
            held=held,
        )

    def _state(
        self, broken: WeighbridgeError | None, held: frozenset[str]
    ) -> tuple[RepositoryState, str]:
        if broken is not None:
            return state_after(broken, saw_pages=self._listing.pages > 0), broken.code
        tally = self._batch_writer.tally
        reasons = (
            tally.unanswered,
            "invalid_tag" if self._listing.invalid else "",
            "removals_held" if held else "",
            tally.faults[0].code if tally.faults else "",
            self._missing,
            self._error_before,
        )
        reason = next(filter(None, reasons), "")
        return ("partial" if reason else "ok"), reason

    def _wait_s(self, broken: WeighbridgeError | None, reason: str) -> float:
        """Until the next crawl: a registry that sent us away for longer is not asked
        before that."""
        asked = None if broken is None else broken.retry_after
        if asked is None and reason == QuotaSpent.code:
            # The last index lacks children: that ended nothing but itself.
            asked = self._context.reader.quota_wait_s
        return max(self._context.interval_s, asked or 0.0)


async def compare_listed(
    context: CrawlContext, claim: Claim, tags: Sequence[TagSeen]
) -> None:
    """Keep as disputes the sizes that are false. Nothing is written where the same
    was found before."""
    sizes = {digest: size for tag in tags for digest, size in tag.sizes}
    if not sizes:
        return
    writer = context.writer
    found = await writer.read(find_listed, claim.scope_id, sizes)
    if not any(found):
        return
    now = context.clock()
    learned = await writer.write(keep_listed, claim.scope_id, sizes, now)
    if learned:
        context.count_conflicts("bulk", learned)


DELETED_AT_ONCE: Final = 1_000
"""Tags that are deleted in one transaction."""


ASKED_FOR: Final = 100
"""Tags that no page had are asked for themselves, up to so many."""


async def delete_unlisted(
    context: CrawlContext, claim: Claim, seen: Set[str], *, is_asked: bool = False
) -> tuple[int, frozenset[str]]:
    """How many are gone, and those that must wait for a second crawl that agrees, since
    too much is missing at once.

    is_asked: what was not seen may have moved while pages were read: each is asked for,
              or, where these are many, waits for a second crawl
    """
    known = await context.writer.read(live_tags, claim.repository_id)
    live = frozenset(filter(context.wants_tag, known))
    absent = live - seen
    if is_mass(len(absent), len(live)) and not absent <= claim.held:
        return 0, absent
    held: Set[str] = frozenset()
    if is_asked and len(absent) > ASKED_FOR:
        held = absent - claim.held
    elif is_asked:
        absent = await _unknown_tags(context.registry, claim.repository, absent)
    gone = absent - held
    for names in pieces(sorted(gone), DELETED_AT_ONCE):
        await context.writer.write(apply_deleted, claim, names, context.clock())
    return len(gone), frozenset(held)


async def _unknown_tags(
    registry: Registry, repository: str, names: Set[str]
) -> frozenset[str]:
    """Those of these tags of which the registry says itself that it has them not."""
    unknown: set[str] = set()
    for name in sorted(names):
        try:
            await registry.head_manifest(repository, name)
        except NotFound:
            unknown.add(name)
        except (RegistryError, TransportError, DocumentError) as exc:
            if exc.retryable:
                break  # It was asked long enough: the rest is left to the next crawl.
    return frozenset(unknown)
