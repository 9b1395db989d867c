"""What all crawls of one registry share: its reader and writer, the limit on what is
learned and not yet kept (what a kill would cost), and what tells of pushes
meanwhile."""

import asyncio
import heapq
from asyncio import Future, get_running_loop
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Final, Literal, Protocol, TypeAlias

from msgspec import Struct, field

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Document
from weighbridge.domain.report.inventory import Source
from weighbridge.engine.documents.document_reader import Reader
from weighbridge.engine.documents.reading import KnownDigests
from weighbridge.engine.judge.judged_batch import Judging
from weighbridge.engine.tags.tag_request import TagFault
from weighbridge.engine.writer.writer import Writer
from weighbridge.errors import StoreError
from weighbridge.ports.protocols import Registry, RequestCost
from weighbridge.store.crawls.crawl_rows import CrawlResult
from weighbridge.store.facts.images import find_known, keep_documents
from weighbridge.store.leases.jobs import Job
from weighbridge.store.pushes.inbox import PushedTo, are_pushed_to

LIMIT: Final = 200
"""Tags of one crawl that are asked about, wait to be written or are being written,
at any time."""
BATCH: Final = 100
"""So many answers are written together: while that is done, as many gather for the
next batch, and enough are left to keep the connections busy."""


class Gatherer(Protocol):
    """Whoever gathers the answers of one repository."""

    @property
    def waiting(self) -> int:
        """Answers that nobody has begun to write."""

    def flush(self) -> None:
        """Begin to write them; does not wait."""


class InFlightLimiter:
    """A number of places, each for a tag from its question until it is stored.

    Whoever came first is served first, so that a repository is finished before the
    next one is begun, and batches are as long as they can be.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._free = limit
        self._waiting: list[tuple[int, int, Future[None]]] = []
        self._order = count()
        self._stores: list[Gatherer] = []

    def register(self, store: Gatherer) -> None:
        """Have a repository's answers written whenever a batch has gathered,
        whosever they are."""
        self._stores.append(store)

    def unregister(self, store: Gatherer) -> None:
        """The opposite."""
        self._stores.remove(store)

    async def take(self, rank: int) -> None:
        """A place; among those who wait, the lowest rank comes first."""
        if self._free:
            self._free -= 1
            return
        place: Future[None] = get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._order), place))
        try:
            await place
        except BaseException:
            if place.done() and not place.cancelled():
                self.give(1)  # It had been given to us, and we do not want it.
            raise

    def answered(self) -> None:
        """One more answer waits. Of several repositories, those are written first
        that have most: short batches cost as much as long ones."""
        waiting = sum(store.waiting for store in self._stores)
        if waiting < BATCH:
            return
        for store in sorted(self._stores, key=lambda s: s.waiting, reverse=True):
            if waiting <= BATCH // 2:
                return
            waiting -= store.waiting
            store.flush()

    def give(self, places: int) -> None:
        """Places are free again."""
        while places and self._waiting:
            _, _, place = heapq.heappop(self._waiting)
            if not place.done():
                place.set_result(None)
                places -= 1
        self._free += places


Verdict: TypeAlias = Literal["pass", "warn", "fail", "error"]
"""What policies say of a pushed tag; `error`: it could not be read."""


class JudgedTag(Struct, frozen=True):
    """A pushed tag whose verdict is stored.

    received_at:      when the first of the events came that tell of it
    compressed_bytes: of each image that was not known before
    """

    tag: str
    outcome: str
    verdict: Verdict
    received_at: datetime
    compressed_bytes: Sequence[int] = ()


class PushCallbacks(Struct, frozen=True):
    """Of one registry.

    registry:  as configured
    judged:    told of tags whose verdict is stored, and that there may be something to
               be told to people
    whole:     told that a whole crawl of a repository is due
    measuring: the job that measures what an attempt did not come to; None where only
               crawls do
    """

    registry: str
    judged: Callable[[Sequence[JudgedTag]], None]
    whole: Callable[[str], None]
    measuring: Job | None = None

    def to(self, repository: str) -> PushedTo:
        """How events name one of its repositories."""
        return PushedTo(self.registry, repository)


POLL_S: Final = 0.25


class Watched(Protocol):
    """Whoever wants to know."""

    @property
    def is_handling(self) -> bool:
        """Whether it need not be told now."""

    def handle(self) -> None:
        """Something waits that is due."""

    def fail(self, error: StoreError) -> None:
        """Nobody can say."""


class PushWatch:
    """Asks as long as anybody wants to know."""

    def __init__(self, writer: Writer, clock: Callable[[], datetime]) -> None:
        self._writer = writer
        self._clock = clock
        self._watched: dict[PushedTo, Watched] = {}
        self._task: asyncio.Task[None] | None = None

    def begin(self, to: PushedTo, watched: Watched) -> None:
        """Tell it from now on of what is pushed to this repository."""
        self._watched[to] = watched
        if self._task is None:
            self._task = asyncio.create_task(self._watch())

    def end(self, to: PushedTo, watched: Watched) -> None:
        """The opposite."""
        if self._watched.get(to) is watched:
            del self._watched[to]
        if not self._watched and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            # Those that end meanwhile are not told.
            asked = {to: w for to, w in self._watched.items() if not w.is_handling}
            try:
                pushed = await self._writer.read(are_pushed_to, asked, self._clock())
            except StoreError as exc:
                for _, watched in self._still(asked):
                    watched.fail(exc)
                continue
            for to, watched in self._still(asked):
                if to in pushed:
                    watched.handle()

    def _still(self, asked: dict[PushedTo, Watched]) -> list[tuple[PushedTo, Watched]]:
        return [(to, w) for to, w in asked.items() if self._watched.get(to) is w]


WORD_WITHIN_S: Final = 2.0
"""The verdict on a push waits no longer for the registry's word on its layers."""


_NAMES_SHOWN: Final = 3


class Progress(Struct):
    """Written by the crawl's event loop, read by any thread; only for showing.

    registry:      what is crawled now: the first names, and how many more there are
    url:           of that registry, while it is one
    stage:         `measuring` while layers were asked for last
    repositories_known, tags_known: None while their listing has not ended
    weighed_bytes: compressed bytes of the distinct images read so far
    now:           the repository that was begun last
    """

    registry: str = ""
    url: str = ""
    stage: str = "listing"
    repositories_done: int = 0
    repositories_known: int | None = None
    tags: int = 0
    tags_known: int | None = None
    images: int = 0
    layers_done: int = 0
    layers_known: int | None = None
    weighed_bytes: int = 0
    now: str = ""
    costs: list[RequestCost] = field(default_factory=list)
    _crawled: dict[str, str] = field(default_factory=dict)
    _known: dict[str, int | None] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """Of all registries together, as the next two."""
        return sum(cost.requests for cost in self.costs)

    @property
    def throttled(self) -> int:
        """Requests that were answered with 429."""
        return sum(cost.throttled for cost in self.costs)

    @property
    def bytes_read(self) -> int:
        """Bytes of the bodies of answers."""
        return sum(cost.bytes_read for cost in self.costs)

    def follow(self, cost: RequestCost) -> None:
        """What a registry's client has asked counts from now on, as it grows."""
        if not any(cost is followed for followed in self.costs):
            self.costs.append(cost)

    def begin_repository(self, name: str, cost: RequestCost) -> None:
        """This one is crawled now."""
        self.now, self.stage = name, "crawling"
        self.follow(cost)

    def begin(self, registry: str, url: str) -> None:
        """One more registry is crawled, beside those that are."""
        self._crawled[registry] = url
        self._known[registry] = None
        self._name_crawled()

    def know(self, registry: str, repositories: int | None) -> None:
        """So many are to be crawled of this one; None: it is not listed yet."""
        self._known[registry] = repositories
        known = [count for count in self._known.values() if count is not None]
        is_known = len(known) == len(self._known)
        self.repositories_known = sum(known) if is_known else None

    def end(self, registry: str) -> None:
        """Its crawl has ended; those that are still crawled are shown."""
        self.know(registry, self._known.get(registry) or 0)
        self._crawled.pop(registry, None)
        if self._crawled:
            self._name_crawled()

    def _name_crawled(self) -> None:
        names = [*self._crawled]
        more = len(names) - _NAMES_SHOWN
        self.registry = ",".join(names[:_NAMES_SHOWN]) + (
            f"+{more}" if more > 0 else ""
        )
        self.url = self._crawled[names[0]] if len(names) == 1 else ""


class CrawlContext(Struct, frozen=True):
    """What all crawls of one registry share.

    watch:           tells crawls of what is pushed meanwhile
    judging:         what images are judged by at this moment
    count_manifests: told now and then: tags looked up, and how many were unchanged
    count_conflicts: told of claims of a source that the registry contradicts
    shared:          told that others can take part in what is asked
    measuring:       the job that asks for the layers of what is found; None: nobody is
        to ask for them
    callbacks:       where pushes are handled; None where nobody waits for any
    word_within_s:   so long the verdict on a push waits for the registry's word
    """

    registry: Registry
    reader: Reader
    writer: Writer
    watch: PushWatch
    progress: Progress
    clock: Callable[[], datetime]
    wants_tag: Callable[[str], bool]
    interval_s: int
    judging: Callable[[], Judging]
    count_manifests: Callable[[int, int], None]
    count_conflicts: Callable[[Source, int], None]
    shared: Callable[[], None]
    measuring: Job | None = None
    callbacks: PushCallbacks | None = None
    word_within_s: float = WORD_WITHIN_S
    unsaved: InFlightLimiter = field(default_factory=InFlightLimiter)


def reader_of(registry: Registry, writer: Writer) -> Reader:
    """Reads what the store does not know yet."""
    known = KnownDigests(lambda digests: writer.read(find_known, digests))

    async def keep_early(
        documents: Sequence[Document], missing: Mapping[Digest, str]
    ) -> None:
        await writer.write(keep_documents, documents, missing)

    return Reader(registry, known, keep_early=keep_early)


class CrawlOutcome(Struct, frozen=True):
    """What one crawl did.

    faults:    its failed tags, at most a hundred
    is_silent: it was left because no answer came any more
    in_doubt:  a tag that it asked about brought none
    """

    result: CrawlResult
    faults: tuple[TagFault, ...]
    is_silent: bool = False
    in_doubt: bool = False
