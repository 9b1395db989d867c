"""Measures one blob: its length by the registry's word, its content by a few bytes."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Layer
from weighbridge.domain.size.blob_format import TAIL_BYTES
from weighbridge.domain.size.confidence import BlobContent, MeasuredBlob, RangeWanted
from weighbridge.domain.size.weigh_image import NOT_HELD
from weighbridge.domain.size.weighing import Measuring, measuring, unseen
from weighbridge.errors import DocumentError, NotFound, RegistryError
from weighbridge.ports.protocols import IS_URGENT, RangeAnswer, Registry

_NO_PARTS: Final = "range_unsupported"
_FINAL: Final = frozenset({_NO_PARTS, "bad_content_range", "range_not_satisfiable"})
"""Answers about this blob that asking again would not change."""

_INFLATER: Final = ThreadPoolExecutor(1, thread_name_prefix="inflate")
_URGENT_INFLATER: Final = ThreadPoolExecutor(1, thread_name_prefix="inflate-urgent")
"""Decompress beside the event loop, one blob at a time each: a push does not wait for
a crawl's layers."""


async def measure_blob(
    registry: Registry, repository: str, layer: Layer
) -> MeasuredBlob:
    """What the registry says of one layer, and what the layer's own bytes show.

    An honest layer costs one range, or two; one whose bytes are not what its media
    type says, one more. Where the registry names another length than the manifest, the
    layer is measured once more, by the registry's. Only where no range is asked for, or
    its answer names no length, one HEAD does: foreign and empty layers, and registries
    that serve no parts of a blob.

    Raises RegistryError, TransportError or DocumentError(digest_mismatch) where a
    later try may succeed.
    """
    try:
        if layer.is_foreign:
            return await _measure_foreign(registry, repository, layer)
        return await _measure(registry, repository, layer)
    except NotFound as exc:
        return _not_held(exc)


async def measure_length(
    registry: Registry, repository: str, blob: Layer
) -> MeasuredBlob:
    """The same for a blob that is no layer of an image: its length alone.

    Raises as `measure_blob` does.
    """
    try:
        length = await registry.blob_length(repository, blob.digest)
    except NotFound as exc:
        return _not_held(exc)
    return _measured(length, unseen("not_asked"))


async def _measure_foreign(
    registry: Registry, repository: str, layer: Layer
) -> MeasuredBlob:
    """Anybody can call a layer foreign. One that the registry holds is no such."""
    length = await registry.blob_length(repository, layer.digest)
    held = layer._replace(is_foreign=False)
    if length is not None:
        held = held._replace(compressed_bytes=length)
    return await _measure(registry, repository, held)


async def _measure(registry: Registry, repository: str, layer: Layer) -> MeasuredBlob:
    """By the claimed length; where that is not the registry's, by the registry's."""
    asking = _BlobRanges(registry, repository, layer.digest)
    found = await asking.content_of(layer)
    if asking.total_bytes is None:
        asking.total_bytes = await registry.blob_length(repository, layer.digest)
    known = asking.total_bytes
    is_final = found.size.reason == _NO_PARTS
    if known is None or known == layer.compressed_bytes or is_final:
        return _measured(known, found)
    layer = layer._replace(compressed_bytes=known)
    found = await asking.content_of(layer)
    if asking.total_bytes != known:  # It says one thing and then another.
        return MeasuredBlob(None, found.size, "bad_content_range", found.seen)
    return _measured(known, found)


class _BlobRanges:
    """Ranges of one blob.

    total_bytes: the blob's length by the last answer that said it, or None
    """

    def __init__(self, registry: Registry, repository: str, digest: Digest) -> None:
        self.total_bytes: int | None = None
        self._registry = registry
        self._repository = repository
        self._digest = digest

    async def content_of(self, layer: Layer) -> BlobContent:
        """What a layer's bytes show, if they are as many as the layer says. Where an
        answer names another length, that is in `total_bytes`, and nothing is known."""
        asking = measuring(layer)
        try:
            step = _step(asking, None)
            while isinstance(step, RangeWanted):
                answer = await self._range(step.first, step.last)
                if answer.content is None:
                    return unseen(_NO_PARTS)
                if answer.total_bytes != layer.compressed_bytes:
                    return unseen("bad_content_range")
                step = await _step_aside(asking, answer.content)
            return step
        except DocumentError as exc:
            if exc.code == "digest_mismatch":
                raise  # bytes that changed on their way say nothing of the blob
            return unseen(exc.code)
        except RegistryError as exc:
            if exc.code in _FINAL:
                return unseen(exc.code)
            raise

    async def _range(self, first: int, last: int) -> RangeAnswer:
        answer = await self._registry.get_range(
            self._repository, self._digest, first, last
        )
        self.total_bytes = answer.total_bytes
        return answer


async def _step_aside(asking: Measuring, content: bytes) -> RangeWanted | BlobContent:
    """The next step, beside the event loop where it may be one of a millisecond."""
    if len(content) <= TAIL_BYTES:
        return _step(asking, content)
    inflater = _URGENT_INFLATER if IS_URGENT.get() else _INFLATER
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(inflater, _step, asking, content)


def _step(asking: Measuring, content: bytes | None) -> RangeWanted | BlobContent:
    """A generator's end cannot leave a thread as the exception that it is."""
    try:
        return next(asking) if content is None else asking.send(content)
    except StopIteration as done:
        found = done.value
        assert isinstance(found, BlobContent)  # noqa: S101 - what measuring returns
        return found


def _not_held(error: NotFound) -> MeasuredBlob:
    if error.code == "name_unknown":
        raise error  # a repository that was deleted says nothing of the blob
    return MeasuredBlob(None, unseen(NOT_HELD).size, NOT_HELD)


def _measured(length: int | None, found: BlobContent) -> MeasuredBlob:
    reason = "no_length" if length is None else ""
    return MeasuredBlob(length, found.size, reason, found.seen)
