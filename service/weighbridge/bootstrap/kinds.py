"""The kinds of registries and channels that a configuration may name."""

from typing import Final

from weighbridge.config import Kinds
from weighbridge.notify.channels.channel_table import CHANNEL_KINDS
from weighbridge.registry.exchange.collector import DISTRIBUTION_COLLECTOR, Collector
from weighbridge.registry.kinds.kind_table import REGISTRY_KINDS

KINDS: Final = Kinds(
    {name: kind.settings for name, kind in REGISTRY_KINDS.items()},
    {name: kind.settings for name, kind in CHANNEL_KINDS.items()},
)


def collector_of(kind: str) -> Collector:
    """What a registry of this kind does with what is not needed any more; of a kind
    that is not known here, what the plain registry does."""
    found = REGISTRY_KINDS.get(kind)
    return DISTRIBUTION_COLLECTOR if found is None else found.collector
