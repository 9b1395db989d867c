"""Azure Container Registry as a kind: plain `/v2` with a sign-in of its own."""

import re
from typing import TYPE_CHECKING, ClassVar, Final

from weighbridge.config import RegistrySettings
from weighbridge.registry.exchange.registry_kind import RegistryKind

if TYPE_CHECKING:
    from weighbridge.registry.exchange.endpoint import (
        Endpoint,
        KindAccess,
        KindRegistry,
    )


class AcrSettings(RegistrySettings):
    """An entry of Azure Container Registry."""

    # A name, since 2024 with a hash of its tenant behind a hyphen
    # (learn.microsoft.com, container-registry-get-started-portal).
    host_pattern: ClassVar = re.compile(
        r"[a-z0-9]{5,50}(?:-[a-z0-9]+)?\.azurecr\.(?:io|cn|us)", re.ASCII
    )
    has_ambient: ClassVar = True


def _open(endpoint: "Endpoint", access: "KindAccess") -> "KindRegistry":
    # Late: who only reads the configuration asks no registry.
    from weighbridge.registry.kinds.acr.acr_registry import open_acr

    return open_acr(endpoint, access)


ACR: Final = RegistryKind(
    settings=AcrSettings,
    open=_open,
    # Layers are shared across the repositories of a registry
    # (learn.microsoft.com, container-registry-concepts).
    storage_scope="registry",
)
