"""What a kind of channel is, besides its notifier."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from msgspec import Struct

from weighbridge.config.channels.channel_settings import ChannelSettings

if TYPE_CHECKING:
    from weighbridge.ports.protocols import Notifier

Own = TypeVar("Own", bound=ChannelSettings)
OpenChannel: TypeAlias = Callable[[ChannelSettings], "Notifier"]


class ChannelKind(Struct, frozen=True):
    """One kind of channel; a line of `channels/channel_table.py`.

    settings: the model of its entries in the configuration
    open:     makes the notifier of one, which is imported only then. Raises
              ConfigError(ca_file)
    """

    settings: type[ChannelSettings]
    open: OpenChannel


def channel_kind(settings: type[Own], make: Callable[[Own], "Notifier"]) -> ChannelKind:
    """A kind whose notifiers are made from its own settings."""

    def open_channel(channel: ChannelSettings) -> "Notifier":
        assert isinstance(channel, settings)  # noqa: S101 - the table says which
        return make(channel)

    return ChannelKind(settings, open_channel)
