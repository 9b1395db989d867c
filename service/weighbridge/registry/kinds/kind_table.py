"""All kinds of registries: a new one is a folder beside this, and a line here."""

from collections.abc import Mapping
from typing import Final

from weighbridge.registry.exchange.registry_kind import RegistryKind
from weighbridge.registry.kinds.distribution.distribution_kind import DISTRIBUTION
from weighbridge.registry.kinds.dockerhub.hub_kind import DOCKERHUB

REGISTRY_KINDS: Final[Mapping[str, RegistryKind]] = {
    "distribution": DISTRIBUTION,
    "dockerhub": DOCKERHUB,
}
"""Each by its name in the configuration, as they are named to people."""
