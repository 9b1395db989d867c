"""Registries by the names that people use for them."""

from typing import Final

from weighbridge.config import Settings

_HOSTS: Final = {"docker.io": "registry-1.docker.io"}
"""Of registries that people call by another name."""


def name_at(settings: Settings, address: str) -> str:
    """The configured name of the registry at this address, else the address."""
    host = _HOSTS.get(address, address)
    names = (r.name for r in settings.registries if r.url.endswith(f"//{host}"))
    return next(names, address)
