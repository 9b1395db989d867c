"""Registries by the names that people use for them."""

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import Settings
from weighbridge.domain.registry.registry_address import main_url


def name_at(settings: Settings, address: str) -> str:
    """The configured name of the registry at this address, else the address."""
    host = KINDS.hosts.get(address, address)
    urls = ((r.name, main_url(r.url, KINDS.hosts)) for r in settings.registries)
    return next((name for name, url in urls if url.endswith(f"//{host}")), address)
