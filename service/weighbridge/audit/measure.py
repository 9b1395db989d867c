"""Measures what a registry's images are made of, each layer once ever."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from weighbridge.audit.measure_layer import measure_blob
from weighbridge.audit.progress import Progress
from weighbridge.audit.writer import Writer
from weighbridge.domain.digest import Digest
from weighbridge.domain.measure import Uncompressed
from weighbridge.errors import DocumentError, RegistryError, TransportError
from weighbridge.ports import Registry
from weighbridge.store.measures import keep_measures, sweep_images
from weighbridge.store.waiting import (
    START,
    Place,
    Unmeasured,
    images_without_total,
    unmeasured_layers,
    waiting_images,
)

BATCH: Final = 200
_IMAGES: Final = 5_000
"""Images that are walked over in one step."""
_LAYERS: Final = 10_000
"""Layers that are in memory at once."""
_FALSE_CLAIM: Final = frozenset({"bad_content_range", "range_not_satisfiable"})


async def measure_registry(
    registry: Registry,
    registry_id: int,
    writer: Writer,
    progress: Progress,
    clock: Callable[[], datetime],
) -> int:
    """Measure every layer of a registry's live images that has no measure yet,
    each once ever, the largest of a few thousand images first. Returns how many could
    not be asked now; those stay unmeasured for the next pass.
    """
    measuring = _Measuring(registry, registry_id, writer, progress, clock)
    try:
        await measuring.run()
    finally:
        # Layers of this registry may be all that others' images waited for.
        if measuring.is_any:
            await _sweep_all(writer)
    return len(measuring.failed)


async def measure_images(
    registry: Registry,
    places: Sequence[Place],
    writer: Writer,
    progress: Progress,
    clock: Callable[[], datetime],
) -> None:
    """Measure the layers of these images, and give them their totals as far as that
    goes. Other images that wait for the same layers get theirs with the next walk."""
    measuring = _Measuring(registry, 0, writer, progress, clock)
    await measuring.of(places)


@dataclass(slots=True)
class _Measuring:
    registry: Registry
    registry_id: int
    writer: Writer
    progress: Progress
    clock: Callable[[], datetime]
    failed: set[Digest] = field(default_factory=set)
    is_any: bool = False

    async def run(self) -> None:
        """One walk over the images that wait; each is read once."""
        place = START
        while True:
            places = await self.writer.read(
                waiting_images, self.registry_id, place, _IMAGES
            )
            goes_on = await self.of(places)
            if places:
                place = places[-1]
            if not goes_on or len(places) < _IMAGES:
                return

    async def of(self, places: Sequence[Place]) -> bool:
        """The layers and totals of these images. False where nothing of a batch could
        be had: the registry does not answer."""
        goes_on = await self._measure(places)
        if places:
            ids = sorted({place.image_id for place in places})
            await self.writer.write(sweep_images, ids)
        return goes_on

    async def _measure(self, places: Sequence[Place]) -> bool:
        while True:
            most = _LAYERS + len(self.failed)
            found = await self.writer.read(unmeasured_layers, places, most)
            wanted = [item for item in found if item.layer.digest not in self.failed]
            for start in range(0, len(wanted), BATCH):
                if not await self._measure_batch(wanted[start : start + BATCH]):
                    return False
            if len(found) < most:
                return True

    async def _measure_batch(self, batch: Sequence[Unmeasured]) -> bool:
        self.progress.stage = "measuring"
        measures: dict[Digest, Uncompressed] = {}
        try:
            await _measure_batch(self.registry, batch, self.progress, measures)
        finally:
            # Also where it is cut off: at a slow registry no batch might ever come to
            # its end.
            if measures:
                self.is_any = True
                await asyncio.shield(
                    self.writer.write(keep_measures, measures, self.clock())
                )
        self.failed |= {item.layer.digest for item in batch} - measures.keys()
        return bool(measures)


async def _sweep_all(writer: Writer) -> None:
    after = 0
    while ids := await writer.read(images_without_total, after, _IMAGES):
        await writer.write(sweep_images, ids)
        after = ids[-1]


async def _measure_batch(
    registry: Registry,
    batch: Sequence[Unmeasured],
    progress: Progress,
    measures: dict[Digest, Uncompressed],
) -> None:
    async def one(item: Unmeasured) -> None:
        try:
            measures[item.layer.digest] = await _measure_claims(registry, item)
        except (DocumentError, RegistryError, TransportError):
            return
        finally:
            progress.layers_done += 1
            progress.requests = registry.cost.requests
            progress.bytes_read = registry.cost.bytes_read

    await asyncio.gather(*(one(item) for item in batch))


async def _measure_claims(registry: Registry, item: Unmeasured) -> Uncompressed:
    """By the first claim about the blob's size, then by the others: a range that
    does not fit the blob shows that a claim was false."""
    found = (await measure_blob(registry, item.repository, item.layer)).uncompressed
    for claim in item.other_claims:
        if found.reason not in _FALSE_CLAIM:
            break
        layer = item.layer._replace(compressed_bytes=claim)
        found = (await measure_blob(registry, item.repository, layer)).uncompressed
    return found
