"""Harbor 2 as a kind of registry. API and registry have one host and one credential,
so its entries have no keys of their own.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from weighbridge.config import RegistrySettings
from weighbridge.registry.exchange.kind_signs import KindProbe, KindSigns
from weighbridge.registry.exchange.registry_kind import RegistryKind
from weighbridge.registry.kinds.harbor.harbor_collector import COLLECTOR

if TYPE_CHECKING:
    from weighbridge.registry.exchange.endpoint import (
        Endpoint,
        KindAccess,
        KindRegistry,
    )


def _open(endpoint: "Endpoint", access: "KindAccess") -> "KindRegistry":
    # Late: who only reads the configuration asks no registry.
    from weighbridge.registry.kinds.harbor.harbor_registry import open_harbor

    return open_harbor(endpoint, access)


def _is_system_information(answer: Mapping[str, object]) -> bool:
    """`GeneralInfo` of Harbor's swagger.yaml, as far as anonymous users see it."""
    is_mode = isinstance(answer.get("auth_mode"), str)
    return is_mode and isinstance(answer.get("self_registration"), bool)


HARBOR: Final = RegistryKind(
    settings=RegistrySettings,
    open=_open,
    # goharbor/website, configure-project-quotas (pull request 691): a blob that several
    # projects have is charged to each of them, and stored once.
    storage_scope="registry",
    collector=COLLECTOR,
    signs=KindSigns(
        # src/server/middleware/v2auth/auth.go of goharbor/harbor.
        services=frozenset({"harbor-registry"}),
        probe=KindProbe(
            "/api/v2.0/systeminfo",
            _is_system_information,
            "that is Harbor's system information",
        ),
    ),
)
