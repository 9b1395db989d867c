"""All kinds of registries: a new one is a folder beside this, and a line here. One that
has nothing besides the specification is here as a whole."""

from typing import TYPE_CHECKING, Final

from weighbridge.config import RegistrySettings
from weighbridge.registry.exchange.collector import DISTRIBUTION_COLLECTOR
from weighbridge.registry.exchange.registry_kind import RegistryKind

if TYPE_CHECKING:
    from weighbridge.registry.exchange.endpoint import (
        Endpoint,
        KindAccess,
        KindRegistry,
    )
from collections.abc import Mapping

from weighbridge.registry.kinds.acr.acr_kind import ACR
from weighbridge.registry.kinds.dockerhub.hub_kind import DOCKERHUB
from weighbridge.registry.kinds.ecr.ecr_kind import ECR
from weighbridge.registry.kinds.ghcr.ghcr_kind import GHCR
from weighbridge.registry.kinds.gitlab.gitlab_kind import GITLAB
from weighbridge.registry.kinds.google.google_kind import GOOGLE
from weighbridge.registry.kinds.harbor.harbor_kind import HARBOR
from weighbridge.registry.kinds.quay.quay_kind import QUAY


def _open(endpoint: "Endpoint", access: "KindAccess") -> "KindRegistry":
    """One that is closed by whoever opened it."""
    # Late: who only reads the configuration asks no registry.
    from weighbridge.registry.kinds.distribution.distribution_registry import (
        DistributionRegistry,
    )

    return DistributionRegistry(
        endpoint, access.connections(endpoint), access.telemetry, clock=access.clock
    )


DISTRIBUTION: Final = RegistryKind(
    settings=RegistrySettings,
    open=_open,
    # Its storage driver addresses blobs by digest under one root.
    storage_scope="registry",
    collector=DISTRIBUTION_COLLECTOR,
)


REGISTRY_KINDS: Final[Mapping[str, RegistryKind]] = {
    "distribution": DISTRIBUTION,
    "acr": ACR,
    "dockerhub": DOCKERHUB,
    "ecr": ECR,
    "ghcr": GHCR,
    "gitlab": GITLAB,
    "google": GOOGLE,
    "harbor": HARBOR,
    "quay": QUAY,
}
"""Each by its name in the configuration, as they are named to people."""
