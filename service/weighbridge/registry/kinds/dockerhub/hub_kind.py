"""Docker Hub as a kind of registry."""

from typing import TYPE_CHECKING, Final

from weighbridge.registry.exchange.registry_kind import RegistryKind
from weighbridge.registry.kinds.dockerhub.hub_settings import (
    DockerHubSettings,
    full_name,
)
from weighbridge.registry.login.credentials import LoginNames

if TYPE_CHECKING:
    from weighbridge.registry.exchange.endpoint import Endpoint
    from weighbridge.registry.exchange.kind_access import KindAccess, KindRegistry


def _open(endpoint: "Endpoint", access: "KindAccess") -> "KindRegistry":
    # Late: who only reads the configuration asks no registry.
    from weighbridge.registry.kinds.dockerhub.open_dockerhub import open_dockerhub

    return open_dockerhub(endpoint, access)


DOCKERHUB: Final = RegistryKind(
    settings=DockerHubSettings,
    open=_open,
    # Docker says nothing of it; that a layer is mounted there from one repository to
    # another speaks for it.
    storage_scope="registry",
    full_name=full_name,
    login_names=LoginNames(
        hosts=frozenset((*DockerHubSettings.hosts, "registry.docker.io")),
        server="https://index.docker.io/v1/",
    ),
)
