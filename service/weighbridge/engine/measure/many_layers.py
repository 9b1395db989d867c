"""Asks a registry for what its images are made of, each blob of a scope once, and keeps
the answers and the totals that follow: the job MEASURE for all that crawls have
brought, a push for its own images.

What changes nothing that was counted, which is the rule, is kept beside others. What
does is kept alone, in a transaction of its own (see `store.session.alone`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeAlias

from msgspec import Struct, field

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.size.confidence import MeasuredBlob
from weighbridge.engine.context.crawl_context import CrawlContext
from weighbridge.engine.context.parts import Parts, Site
from weighbridge.engine.judge.judge import Rejudging
from weighbridge.engine.measure.one_layer import measure_blob, measure_length
from weighbridge.engine.writer.writer import Writer
from weighbridge.errors import DocumentError, RegistryError, TransportError
from weighbridge.ports.job_names import MEASURE, TICK
from weighbridge.ports.protocols import Registry
from weighbridge.store.crawls.crawl_requests import open_requests
from weighbridge.store.leases.jobs import Job, due_jobs
from weighbridge.store.registries.registry_rows import find_registry_id
from weighbridge.store.sizes.blob_sizes import keep_measures
from weighbridge.store.sizes.manifest_sizes import sweep_manifests
from weighbridge.store.sizes.unmeasured import (
    START,
    LiveManifest,
    Unmeasured,
    blobs_to_ask_again,
    note_measured,
    unmeasured_blobs,
    unmeasured_repositories,
    waiting_manifests,
)


async def keep_answers(
    writer: Writer,
    answers: Mapping[tuple[int, Digest], MeasuredBlob | None],
    now: datetime,
) -> None:
    """Keep answers by storage scope and digest; None: no answer came."""
    for scope_id in sorted({scope for scope, _ in answers}):
        found = {d: m for (scope, d), m in answers.items() if scope == scope_id}
        left = await writer.write(keep_measures, scope_id, found, now)
        if left:
            changed = {digest: found[digest] for digest in left}
            await writer.write(keep_measures, scope_id, changed, now, is_alone=True)


async def sum_up(
    context: CrawlContext, places: Sequence[LiveManifest], *, is_partial: bool = False
) -> None:
    """Give these manifests their totals, as far as their blobs are answered.

    is_partial: also the others, by what is known so far
    """
    writer, now = context.writer, context.clock()
    for scope_id in sorted({place.scope_id for place in places}):
        ids = sorted({p.manifest_id for p in places if p.scope_id == scope_id})
        swept = await writer.write(
            sweep_manifests, scope_id, ids, now, is_partial=is_partial
        )
        # At once: what is stored is not learned again, whatever comes of the others.
        if swept.learned:
            context.count_conflicts("manifest", swept.learned)
        if swept.left:
            alone = await writer.write(
                sweep_manifests,
                scope_id,
                swept.left,
                now,
                is_alone=True,
                is_partial=is_partial,
            )
            if alone.learned:
                context.count_conflicts("manifest", alone.learned)


MEASURED_WITHIN: Final = timedelta(minutes=5)
"""What somebody was to measure at once, and did not since its process ended, is
measured so long afterwards."""
BATCH: Final = 200
_MANIFESTS: Final = 5_000
"""Images and artifacts that are walked over in one step."""
_BLOBS: Final = 10_000
"""Blobs that are in memory at once."""
_REPOSITORIES: Final = 500
Kept: TypeAlias = Callable[[], Awaitable[None]]
_FALSE_CLAIM: Final = frozenset({"bad_content_range", "range_not_satisfiable"})


async def _nothing() -> None:
    pass


async def measure_images(context: CrawlContext, places: Sequence[LiveManifest]) -> None:
    """Ask for the blobs of these images, and give them their totals as far as that
    goes. Other images that wait for the same layers get theirs with the next walk."""
    await _Measuring(context, 0).of(places)


class _Measuring(Struct):
    """Asks for every blob of a registry's live images and artifacts that was not asked
    for in its storage scope, each once, the largest of a few thousand images first;
    then for those of which the last answer will not do, as far as it is time.

    kept:   called when more of it was stored
    failed: what could not be had now; it is asked for again by later crawls
    """

    context: CrawlContext
    registry_id: int
    kept: Kept = _nothing
    failed: set[tuple[int, Digest]] = field(default_factory=set)
    asked: set[tuple[int, Digest]] = field(default_factory=set)

    async def run(self) -> None:
        """One walk over what waits; each manifest is read once."""
        repositories = await self.context.writer.read(
            unmeasured_repositories, self.registry_id
        )
        goes_on = await self._walk() if repositories else True
        for start in range(0, len(repositories), _REPOSITORIES):
            piece = repositories[start : start + _REPOSITORIES]
            await self.context.writer.write(note_measured, piece)
        if goes_on:
            await self._ask_again()

    async def _walk(self) -> bool:
        place = START
        while True:
            places = await self.context.writer.read(
                waiting_manifests, self.registry_id, place, _MANIFESTS
            )
            goes_on = await self.of(places)
            if places:
                place = places[-1]
            if not goes_on or len(places) < _MANIFESTS:
                return goes_on

    async def of(self, places: Sequence[LiveManifest]) -> bool:
        """The blobs and totals of these manifests. False where nothing of a batch
        could be had: the registry does not answer."""
        goes_on = await self._measure(places)
        await sum_up(self.context, places)
        return goes_on

    async def _measure(self, places: Sequence[LiveManifest]) -> bool:
        while places:
            most = _BLOBS + len(self.failed)
            found = await self.context.writer.read(
                unmeasured_blobs, places, most, self.context.clock()
            )
            wanted = [item for item in found if _key(item) not in self.asked]
            if not wanted:
                break
            for start in range(0, len(wanted), BATCH):
                if not await self._measure_batch(wanted[start : start + BATCH]):
                    return False
            if len(found) < most:
                break
        return True

    async def _ask_again(self) -> None:
        """What is corrected so is summed up again by the next walk."""
        most = BATCH + len(self.asked)
        while True:
            found = await self.context.writer.read(
                blobs_to_ask_again, self.registry_id, most, self.context.clock()
            )
            wanted = [item for item in found if _key(item) not in self.asked][:BATCH]
            if not wanted or not await self._measure_batch(wanted):
                break
            most = BATCH + len(self.asked)
        if reopened := await self.context.writer.read(
            unmeasured_repositories, self.registry_id
        ):
            await self._walk()
            await self.context.writer.write(note_measured, reopened)

    async def _measure_batch(self, batch: Sequence[Unmeasured]) -> bool:
        progress = self.context.progress
        progress.stage = "measuring"
        progress.follow(self.context.registry.cost)
        self.asked |= {_key(item) for item in batch}
        answers: dict[tuple[int, Digest], MeasuredBlob | None] = {}
        try:
            await _ask(self.context, batch, answers)
        finally:
            # Also where it is cut off: at a slow registry no batch might ever come to
            # its end.
            if any(answers.values()):
                await asyncio.shield(
                    keep_answers(self.context.writer, answers, self.context.clock())
                )
        if any(answers.values()):
            await self.kept()
        self.failed |= {key for key, answer in answers.items() if answer is None}
        # Nothing at all is no answer about any one of them.
        return any(answers.values())


def _key(item: Unmeasured) -> tuple[int, Digest]:
    return item.scope_id, item.layer.digest


async def _ask(
    context: CrawlContext,
    batch: Sequence[Unmeasured],
    answers: dict[tuple[int, Digest], MeasuredBlob | None],
) -> None:
    registry, progress = context.registry, context.progress

    async def one(item: Unmeasured) -> None:
        try:
            answers[_key(item)] = await ask_for(registry, item)
        except (DocumentError, RegistryError, TransportError):
            answers[_key(item)] = None
        finally:
            progress.layers_done += 1

    await asyncio.gather(*(one(item) for item in batch))


async def ask_for(registry: Registry, item: Unmeasured) -> MeasuredBlob:
    """What a registry says of one blob. Where it gives no length, by one claim after
    the other: a range that does not fit the blob shows that one was false.

    Raises DocumentError, RegistryError, TransportError where a later try may succeed.
    """
    if not item.is_layer:
        return await measure_length(registry, item.repository, item.layer)
    found = await measure_blob(registry, item.repository, item.layer)
    for claim in item.other_claims:
        is_known = found.registry_bytes is not None
        if is_known or found.uncompressed.reason not in _FALSE_CLAIM:
            break
        layer = item.layer._replace(compressed_bytes=claim)
        found = await measure_blob(registry, item.repository, layer)
    return found


async def measure(parts: Parts, site: Site) -> None:
    """Measure what is not measured yet, if that is due."""
    registry_id = await parts.writer.read(find_registry_id, site.name)
    if registry_id is None:
        return
    job = Job(MEASURE, site.name)
    every = timedelta(seconds=site.interval_s)
    async with parts.shared.doing(job, every) as claimed:
        if claimed is None:
            return
        async with parts.asking(site) as connected:
            measuring = _Measuring(
                parts.context(site, connected.registry),
                registry_id,
                partial(parts.shared.gets_further, claimed),
            )
            await measuring.run()
        parts.watcher.measured(site.name, len(measuring.failed))
        await bring_up_to_date(parts, site, registry_id)
        parts.deliver()
    if await parts.writer.read(due_jobs, [job], parts.clock()):
        # More came while it was done. Who took that job found it in our hands.
        parts.jobs.put(MEASURE, site.name)
    if await parts.writer.read(open_requests, registry_id):
        parts.jobs.put(TICK, "")


async def bring_up_to_date(parts: Parts, site: Site, registry_id: int) -> None:
    """Make anew and judge what is behind what is known by now."""
    judging = parts.judging(site)
    await Rejudging(parts.writer, registry_id, judging, parts.clock).refresh_stale()
    await parts.writer.settle()
