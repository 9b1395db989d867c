"""Asks for each layer once, where several weighings are about the same ones."""

import asyncio

from weighbridge.domain.image.document import Layer
from weighbridge.domain.size.confidence import MeasuredBlob
from weighbridge.engine.measure.one_layer import measure_blob
from weighbridge.ports.protocols import Registry


class MeasuredOnce:
    """Of one registry. Layers of two repositories, or that two manifests describe in
    two ways, are two."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._asked: dict[tuple[str, Layer], asyncio.Future[MeasuredBlob]] = {}

    async def measure(self, repository: str, layer: Layer) -> MeasuredBlob:
        """Raises as `measure_blob` does; whoever asks again gets the same error."""
        asked = self._asked.get((repository, layer))
        if asked is None:
            asking = measure_blob(self._registry, repository, layer)
            asked = self._asked[repository, layer] = asyncio.ensure_future(asking)
        return await asked
