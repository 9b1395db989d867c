"""Whether a registry is there at all."""

from weighbridge.errors import DocumentError, RegistryError, TransportError
from weighbridge.ports.protocols import Registry


async def answers(registry: Registry) -> bool:
    """Whether one question brings an answer: a refusal is one too."""
    try:
        await anext(registry.repositories(), None)
    except TransportError:
        return False
    except (DocumentError, RegistryError):
        return True
    return True
