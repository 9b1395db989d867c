"""Measures one blob by a few bytes of it."""

from typing import Final

from weighbridge.domain.document import Layer
from weighbridge.domain.measure import Uncompressed
from weighbridge.domain.uncompressed import measuring, unmeasured
from weighbridge.errors import DocumentError, RegistryError
from weighbridge.ports import Registry

_FINAL: Final = frozenset(
    {"range_unsupported", "bad_content_range", "range_not_satisfiable", "not_found"}
)
"""Answers about this blob that asking again would not change."""


async def measure_layer(
    registry: Registry, repository: str, layer: Layer
) -> Uncompressed:
    """One layer's uncompressed size, from at most two small ranges of it.

    An answer that says that ranges are not to be had gives `unknown` with that
    reason. Raises RegistryError, TransportError or DocumentError(digest_mismatch)
    where a later try may succeed.
    """
    asking = measuring(layer)
    try:
        wanted = next(asking)
        while True:
            content = await registry.get_range(
                repository, layer.digest, wanted.first, wanted.last, wanted.total_bytes
            )
            wanted = asking.send(content)
    except StopIteration as done:
        found = done.value
        assert isinstance(found, Uncompressed)  # noqa: S101 - what measuring returns
        return found
    except DocumentError as exc:
        if exc.code == "digest_mismatch":
            raise  # bytes that changed on their way say nothing of the blob
        return unmeasured(layer, exc.code)
    except RegistryError as exc:
        if exc.code in _FINAL:
            return unmeasured(layer, exc.code)
        raise
