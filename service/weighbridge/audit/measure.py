"""Measures what a registry's images are made of, each layer once ever."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from weighbridge.audit.measure_layer import measure_layer
from weighbridge.audit.progress import Progress
from weighbridge.audit.writer import Writer
from weighbridge.domain.digest import Digest
from weighbridge.domain.measure import Uncompressed
from weighbridge.errors import DocumentError, RegistryError, TransportError
from weighbridge.ports import Registry
from weighbridge.store.measures import (
    Unmeasured,
    keep_measures,
    sweep_images,
    unmeasured_layers,
)

BATCH: Final = 200
_FALSE_CLAIM: Final = frozenset({"bad_content_range", "range_not_satisfiable"})


async def measure_registry(
    registry: Registry,
    registry_id: int,
    writer: Writer,
    progress: Progress,
    clock: Callable[[], datetime],
) -> int:
    """Measure every layer of a registry's live images that has no measure yet,
    largest first, each once ever. Returns how many could not be asked now; those
    stay unmeasured for the next pass.
    """
    # Images whose layers were all measured with others wait for nothing but this.
    await writer.write(sweep_images)
    failed: set[Digest] = set()
    while True:
        found = await writer.read(unmeasured_layers, registry_id, BATCH + len(failed))
        batch = [item for item in found if item.layer.digest not in failed][:BATCH]
        if not batch:
            return len(failed)
        progress.stage = "measuring"
        measures = await _measure_batch(registry, batch, progress)
        failed |= {item.layer.digest for item in batch} - measures.keys()
        if not measures:
            return len(failed)
        await writer.write(keep_measures, measures, clock())
        await writer.write(sweep_images)


async def _measure_batch(
    registry: Registry, batch: Sequence[Unmeasured], progress: Progress
) -> dict[Digest, Uncompressed]:
    measures: dict[Digest, Uncompressed] = {}

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
    return measures


async def _measure_claims(registry: Registry, item: Unmeasured) -> Uncompressed:
    """By the first claim about the blob's size, then by the others: a range that
    does not fit the blob shows that a claim was false."""
    found = await measure_layer(registry, item.repository, item.layer)
    for claim in item.other_claims:
        if found.reason not in _FALSE_CLAIM:
            break
        layer = item.layer._replace(compressed_bytes=claim)
        found = await measure_layer(registry, item.repository, layer)
    return found
