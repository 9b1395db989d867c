"""The kinds of registries and channels that a configuration may name."""

from typing import Final

from weighbridge.config import Kinds
from weighbridge.notify.channels.channel_table import CHANNEL_KINDS
from weighbridge.registry.kinds.kind_table import REGISTRY_KINDS

KINDS: Final = Kinds(
    {name: kind.settings for name, kind in REGISTRY_KINDS.items()},
    {name: kind.settings for name, kind in CHANNEL_KINDS.items()},
)
