"""One pass: one look at one repository, from its tag listing to its summary.

What was not seen is not changed: a listing that breaks off keeps every tag after
the break, a tag whose look failed keeps its last good record. A tag is gone only
when a complete pass did not see it.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from weighbridge.audit.chunk import Chunk, ChunkLook, TagFault
from weighbridge.audit.plan import plan, wants_head_first
from weighbridge.audit.progress import Progress
from weighbridge.audit.read import Reader
from weighbridge.audit.together import cancel, together
from weighbridge.audit.writer import Writer
from weighbridge.domain import limits
from weighbridge.domain.digest import Digest
from weighbridge.domain.document import Document, Image
from weighbridge.domain.listing import TagSeen
from weighbridge.domain.platform import Platform
from weighbridge.domain.report import RepositoryState
from weighbridge.errors import (
    DocumentError,
    NotFound,
    RegistryError,
    TransportError,
    WeighbridgeError,
)
from weighbridge.ports import PASS_COST, Cost, Registry
from weighbridge.store.images import keep_documents
from weighbridge.store.liveness import missing_manifests
from weighbridge.store.repositories import Claim, PassResult, close_pass, open_pass
from weighbridge.store.session import Connection
from weighbridge.store.summaries import refresh_if_stale
from weighbridge.store.tags import (
    apply_failures,
    apply_gone,
    apply_moves,
    known_tags,
    live_tags,
)

CHUNK: Final = 100
"""Tags a transaction."""
CHUNKS_AT_ONCE: Final = 3
"""Enough to keep the connections busy while one chunk is being stored."""
MISSING_AT_ONCE: Final = 20
"""Children of indexes that are asked for again in one pass."""
MASS: Final = 10
"""More vanished tags than this, and more than half: a second pass must agree."""

_UNAUTHORIZED: Final = frozenset(
    {"unauthorized", "denied", "auth_error", "realm_refused"}
)


@dataclass(frozen=True, slots=True)
class PassContext:
    """What every pass of one registry's crawl shares."""

    registry: Registry
    reader: Reader
    writer: Writer
    progress: Progress
    clock: Callable[[], datetime]
    wants_tag: Callable[[str], bool]
    platforms: tuple[Platform, ...]
    interval_s: int
    count_manifests: Callable[[int, int], None]
    """Told of every chunk: tags looked up, and how many of them were known."""


@dataclass(frozen=True, slots=True)
class PassOutcome:
    """What one pass did; `faults` are its failed tags, at most a hundred."""

    result: PassResult
    faults: tuple[TagFault, ...]


@dataclass(slots=True)
class _Tally:
    seen: set[str] = field(default_factory=set)
    new: int = 0
    moved: int = 0
    gone: int = 0
    failed: int = 0
    invalid: int = 0
    unanswered: str = ""
    missing: str = ""
    asked_in_vain: set[Digest] = field(default_factory=set)
    pages: int = 0
    faults: list[TagFault] = field(default_factory=list)


class RepositoryPass:
    """One look at one claimed repository."""

    def __init__(self, context: PassContext, claim: Claim) -> None:
        self._context = context
        self._claim = claim
        self._tally = _Tally()
        self._cost = Cost()
        self._head_first = wants_head_first(claim.tags, claim.manifests)
        self._slots = asyncio.Semaphore(CHUNKS_AT_ONCE)

    async def run(self) -> PassOutcome:
        """Look, keep what was learned, and record how far it came.

        Raises StaleFence if another process took the repository over, and
        StoreError; whatever the registry does ends in the outcome.
        """
        PASS_COST.set(self._cost)
        write = self._context.writer.write
        pass_id = await write(open_pass, self._claim, self._context.clock())
        broken = await self._list_and_read()
        held = await self._remove_gone(broken)
        if not isinstance(broken, TransportError):
            await self._ask_for_missing()
        result = self._result(broken, held)
        await write(self._close, pass_id, result)
        return PassOutcome(result, tuple(self._tally.faults))

    async def _list_and_read(self) -> WeighbridgeError | None:
        """Page by page, chunk by chunk; the error that ended the listing early."""
        chunks: set[asyncio.Task[None]] = set()
        broken: WeighbridgeError | None = None
        try:
            async for page in self._context.registry.tags(self._claim.repository):
                self._tally.pages += 1
                self._tally.invalid += page.invalid
                for tags in _batches(self._fresh(page.tags), CHUNK):
                    await self._slots.acquire()
                    _raise_failed(chunks)
                    task = asyncio.create_task(self._chunk(tags))
                    task.add_done_callback(lambda _: self._slots.release())
                    chunks.add(task)
                if len(self._tally.seen) > limits.TAGS_PER_REPOSITORY:
                    broken = _too_many_tags()
                    break
        except (RegistryError, TransportError, DocumentError) as exc:
            broken = exc
        except BaseException:
            await cancel(chunks)
            raise
        await _finish(chunks)
        return broken

    def _fresh(self, tags: Iterable[TagSeen]) -> Iterable[TagSeen]:
        """The wanted tags that no earlier page had: duplicates collapse."""
        for tag in tags:
            if tag.name not in self._tally.seen and self._context.wants_tag(tag.name):
                self._tally.seen.add(tag.name)
                yield tag

    async def _chunk(self, tags: Sequence[TagSeen]) -> None:
        """Ask what the plan wants, then keep all of it in one transaction."""
        names = [tag.name for tag in tags]
        known = await self._context.writer.read(
            known_tags, self._claim.repository_id, names
        )
        todo = plan(tags, known, head_first=self._head_first)
        look = ChunkLook(
            self._context.registry, self._context.reader, self._claim.repository, known
        )
        chunk = await look.at(todo)
        await self._keep(chunk)
        self._count(chunk)
        unchanged = len(tags) - len(chunk.moves) - len(chunk.failures)
        self._context.count_manifests(len(tags), unchanged)
        self._context.progress.tags += len(tags)
        self._show()

    async def _keep(self, chunk: Chunk) -> None:
        if not chunk.moves and not chunk.failures:
            return
        documents: dict[Digest, Document] = {}
        missing: dict[Digest, str] = {}
        for reading in chunk.readings:
            documents |= {document.digest: document for document in reading.documents}
            missing |= reading.missing
        self._tally.asked_in_vain |= missing.keys()
        await self._context.writer.write(
            _keep_chunk,
            self._claim,
            list(documents.values()),
            missing,
            chunk,
            self._context.clock(),
        )
        for reading in chunk.readings:
            self._context.reader.forget(reading)
        self._tally.new += chunk.new
        self._tally.moved += chunk.moved
        self._count_images(documents.values())

    def _count(self, chunk: Chunk) -> None:
        tally = self._tally
        tally.failed += len(chunk.faults)
        tally.faults.extend(chunk.faults[: CHUNK - len(tally.faults)])
        tally.unanswered = tally.unanswered or chunk.unanswered

    def _count_images(self, documents: Iterable[Document]) -> None:
        for document in documents:
            if isinstance(document, Image):
                self._context.progress.images += 1
                self._context.progress.weighed_bytes += document.compressed_bytes

    def _show(self) -> None:
        cost = self._context.registry.cost
        progress = self._context.progress
        progress.requests = cost.requests
        progress.bytes_read = cost.bytes_read
        progress.throttled = cost.throttled

    async def _ask_for_missing(self) -> None:
        """Ask once more for what indexes list and the registry did not have: a few
        each pass. What is still missing keeps the repository `partial`."""
        read = self._context.writer.read
        repository_id = self._claim.repository_id
        missing = await read(missing_manifests, repository_id, MISSING_AT_ONCE)
        wanted = [
            digest
            for digest, code in missing.items()
            if code == "child_missing" and digest not in self._tally.asked_in_vain
        ]
        found: dict[Digest, Document] = {}

        async def ask(digest: Digest) -> None:
            with suppress(DocumentError, RegistryError, TransportError):
                reading = await self._context.reader.read(
                    self._claim.repository, digest
                )
                found.update((d.digest, d) for d in reading.documents)

        await together(ask(digest) for digest in wanted)
        if found:
            await self._context.writer.write(keep_documents, [*found.values()], {})
        left = await read(missing_manifests, repository_id, 1)
        self._tally.missing = next(iter(left.values()), "")

    async def _remove_gone(self, broken: WeighbridgeError | None) -> frozenset[str]:
        """Bury what a complete pass did not see; returns what must wait for a
        second pass that agrees, since too much vanished at once."""
        if broken is not None or not self._is_complete:
            return self._claim.held
        live = await self._context.writer.read(live_tags, self._claim.repository_id)
        gone = frozenset(
            name for name in live - self._tally.seen if self._context.wants_tag(name)
        )
        if _is_mass(len(gone), len(live)) and not gone <= self._claim.held:
            return gone
        if gone:
            await self._context.writer.write(
                apply_gone, self._claim, sorted(gone), self._context.clock()
            )
            self._tally.gone = len(gone)
        return frozenset()

    @property
    def _is_complete(self) -> bool:
        """Every item was answered; with the listing's end that is a whole look."""
        return not self._tally.unanswered and not self._tally.invalid

    def _result(
        self, broken: WeighbridgeError | None, held: frozenset[str]
    ) -> PassResult:
        tally = self._tally
        state, reason = self._state(broken, held)
        return PassResult(
            state=state,
            reason=reason,
            complete=broken is None and self._is_complete,
            tags_seen=len(tally.seen),
            tags_new=tally.new,
            tags_moved=tally.moved,
            tags_gone=tally.gone,
            tags_failed=tally.failed,
            invalid_tags=tally.invalid,
            requests=self._cost.requests,
            bytes_read=self._cost.bytes_read,
            held=held,
        )

    def _state(
        self, broken: WeighbridgeError | None, held: frozenset[str]
    ) -> tuple[RepositoryState, str]:
        tally = self._tally
        if broken is not None:
            return _broken_state(broken, tally.pages > 0), broken.code
        if tally.unanswered:
            return "partial", tally.unanswered
        if tally.invalid:
            return "partial", "invalid_tag"
        if held:
            return "partial", "removals_held"
        if tally.faults:
            return "partial", tally.faults[0].code
        if tally.missing:
            return "partial", tally.missing
        return "ok", ""

    def _close(self, connection: Connection, pass_id: int, result: PassResult) -> None:
        now = self._context.clock()
        refresh_if_stale(
            connection, self._claim.repository_id, now, self._context.platforms
        )
        due_at = now + timedelta(seconds=self._context.interval_s)
        close_pass(connection, self._claim, pass_id, result, now, due_at)


def _keep_chunk(
    connection: Connection,
    claim: Claim,
    documents: list[Document],
    missing: dict[Digest, str],
    chunk: Chunk,
    now: datetime,
) -> None:
    """Facts, then tags, in one transaction (SQLite has one writer anyway)."""
    if documents or missing:
        keep_documents(connection, documents, missing)
    if chunk.moves:
        apply_moves(connection, claim, chunk.moves, now)
    if chunk.failures:
        apply_failures(connection, claim, chunk.failures, now)


def _is_mass(gone: int, live: int) -> bool:
    return gone > MASS and gone * 2 > live


def _broken_state(exc: WeighbridgeError, saw_pages: bool) -> RepositoryState:
    if saw_pages:
        return "partial"
    if exc.code in _UNAUTHORIZED:
        return "unauthorized"
    if isinstance(exc, NotFound):
        return "missing"
    return "unreachable" if isinstance(exc, TransportError) else "error"


def _too_many_tags() -> WeighbridgeError:
    return RegistryError(
        f"more than {limits.TAGS_PER_REPOSITORY} tags", code="too_many_tags"
    )


def _raise_failed(tasks: set[asyncio.Task[None]]) -> None:
    """A chunk that could not be kept ends the pass at once."""
    for task in [task for task in tasks if task.done()]:
        tasks.discard(task)
        task.result()


async def _finish(tasks: set[asyncio.Task[None]]) -> None:
    try:
        for task in tasks:
            await task
    except BaseException:
        await cancel(tasks)
        raise


def _batches(tags: Iterable[TagSeen], length: int) -> Iterator[list[TagSeen]]:
    iterator = iter(tags)
    while batch := list(islice(iterator, length)):
        yield batch
