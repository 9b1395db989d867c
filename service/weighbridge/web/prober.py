"""Who asks registries for the web part, which itself knows none."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from weighbridge.domain.registry.probe import Probe
from weighbridge.errors import UsageError

Prober: TypeAlias = Callable[[str], Awaitable[Probe]]
"""A probe by a registry's name. Raises UsageError(unknown_registry) where none of this
name is configured."""


async def no_registries(name: str) -> Probe:
    """Where none is configured."""
    raise UsageError("no registry is configured", code="unknown_registry")
