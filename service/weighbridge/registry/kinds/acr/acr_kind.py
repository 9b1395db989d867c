"""Azure Container Registry as a kind: plain `/v2` with a sign-in of its own."""

import re
from typing import TYPE_CHECKING, ClassVar, Final, Self

from pydantic import model_validator

from weighbridge.config import RegistrySettings
from weighbridge.config.value.clashes import Clash, without
from weighbridge.config.value.written_address import is_loopback
from weighbridge.registry.exchange.registry_kind import RegistryKind
from weighbridge.registry.kinds.acr.acr_collector import COLLECTOR

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

    @model_validator(mode="after")
    def _is_azure_that_is_shown_who_we_are(self) -> Self:
        return without(self, self._host_clash())

    def _host_clash(self) -> Clash | None:
        """Entra's token opens every registry that the identity may read."""
        is_known = type(self).host_pattern.fullmatch(self.host.lower())
        if not self.is_ambient or is_known or is_loopback(self.host):
            return None
        words = (
            "cannot be ambient at this host: only NAME.azurecr.io, .azurecr.cn and"
            " .azurecr.us are shown the token of this machine"
        )
        return Clash("auth", "invalid_auth", words)


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
    collector=COLLECTOR,
)
