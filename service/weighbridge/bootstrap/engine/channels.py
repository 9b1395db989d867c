"""Notifiers: what `channels` says, with transports and secrets behind it."""

from collections.abc import Mapping

from msgspec import Struct

from weighbridge.config import Settings
from weighbridge.notify.channels.alertmanager.notifier import AlertmanagerNotifier
from weighbridge.notify.channels.channel_table import CHANNEL_KINDS
from weighbridge.ports.protocols import Notifier


class OpenChannels(Struct, frozen=True):
    """Every configured channel, ready to be told.

    notifiers:     those that are told messages, by name
    alertmanagers: those that are told all that is open, again and again
    """

    notifiers: Mapping[str, Notifier]
    alertmanagers: Mapping[str, AlertmanagerNotifier]

    def find(self, name: str) -> Notifier | None:
        """Any of them."""
        return self.notifiers.get(name) or self.alertmanagers.get(name)

    async def aclose(self) -> None:
        """Close every connection."""
        for notifier in (*self.notifiers.values(), *self.alertmanagers.values()):
            await notifier.aclose()


def open_channels(settings: Settings) -> OpenChannels:
    """All channels, for whoever closes them. Raises ConfigError(ca_file)."""
    notifiers: dict[str, Notifier] = {}
    alertmanagers: dict[str, AlertmanagerNotifier] = {}
    for channel in settings.channels:
        opened = CHANNEL_KINDS[channel.kind].open(channel)
        if isinstance(opened, AlertmanagerNotifier):
            alertmanagers[channel.name] = opened
        else:
            notifiers[channel.name] = opened
    return OpenChannels(notifiers, alertmanagers)
