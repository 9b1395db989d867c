"""What all crawls of one registry share."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Document
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.report.inventory import Source
from weighbridge.engine.context.in_flight_limiter import InFlightLimiter
from weighbridge.engine.context.push_callbacks import PushCallbacks, PushWatch
from weighbridge.engine.context.site import Scope
from weighbridge.engine.documents.document_reader import Reader
from weighbridge.engine.documents.known_digests import KnownDigests
from weighbridge.engine.judge.criteria import NO_JUDGING, Judging
from weighbridge.engine.tags.tag_request import TagFault
from weighbridge.engine.writer.writer import Writer
from weighbridge.ports.protocols import Registry
from weighbridge.store.crawls.crawl_rows import CrawlResult
from weighbridge.store.facts.images import find_known, keep_documents
from weighbridge.store.leases.jobs import Job

WORD_WITHIN_S: Final = 2.0
"""The verdict on a push waits no longer for the registry's word on its layers."""
RESUME_S: Final = 6 * 3_600.0
"""A crawl that was cut off longer ago is begun anew: what it saw may have moved."""


Counted: TypeAlias = Callable[[Source, int], None]
"""Told how many false claims of a source were learned of."""


def uncounted(source: Source, learned: int) -> None:
    """Where nobody counts false claims."""


def _nobody() -> None:
    """Stands in where there are no others."""


class Progress(Struct):
    """Written by the crawl's event loop, read by any thread; only for showing.

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
    requests: int = 0
    throttled: int = 0
    bytes_read: int = 0
    weighed_bytes: int = 0
    now: str = ""


class CrawlContext(Struct, frozen=True):
    """What all crawls of one registry share.

    count_manifests: told now and then: tags looked up, and how many were unchanged
    judging:         what images are judged by at this moment
    word_within_s:   so long the verdict on a push waits for the registry's word
    count_conflicts: told of claims that the registry contradicts
    callbacks:            where pushes are handled; None where nobody waits for any
    watch:           tells crawls of what is pushed meanwhile
    shared:          told that others can take part in what is asked
    measuring:       the job that asks for the layers of what is found; None: nobody is
        to ask for them
    """

    registry: Registry
    reader: Reader
    writer: Writer
    unsaved: InFlightLimiter
    watch: PushWatch
    progress: Progress
    clock: Callable[[], datetime]
    wants_tag: Callable[[str], bool]
    platforms: tuple[Platform, ...]
    interval_s: int
    count_manifests: Callable[[int, int], None]
    judging: Callable[[], Judging]
    callbacks: PushCallbacks | None = None
    resume_s: float = RESUME_S
    count_conflicts: Counted = uncounted
    word_within_s: float = WORD_WITHIN_S
    shared: Callable[[], None] = _nobody
    measuring: Job | None = None


def crawl_context(
    registry: Registry,
    scope: Scope,
    writer: Writer,
    progress: Progress,
    clock: Callable[[], datetime],
    *,
    interval_s: int,
    count_manifests: Callable[[int, int], None],
    judging: Callable[[], Judging] | None = None,
    callbacks: PushCallbacks | None = None,
    resume_s: float = RESUME_S,
    count_conflicts: Counted = uncounted,
    shared: Callable[[], None] = _nobody,
    measuring: Job | None = None,
) -> CrawlContext:
    """The context of crawls that keep what they learn by this writer."""
    no_judging = replace(NO_JUDGING, platforms=scope.platforms)
    known = KnownDigests(lambda digests: writer.read(find_known, digests))

    async def keep_early(
        documents: Sequence[Document], missing: Mapping[Digest, str]
    ) -> None:
        await writer.write(keep_documents, documents, missing)

    return CrawlContext(
        registry=registry,
        reader=Reader(registry, known, keep_early=keep_early),
        writer=writer,
        unsaved=InFlightLimiter(),
        watch=PushWatch(writer, clock),
        progress=progress,
        clock=clock,
        wants_tag=scope.wants_tag,
        platforms=scope.platforms,
        interval_s=interval_s,
        count_manifests=count_manifests,
        judging=judging or (lambda: no_judging),
        callbacks=callbacks,
        resume_s=resume_s,
        count_conflicts=count_conflicts,
        shared=shared,
        measuring=measuring,
    )


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
