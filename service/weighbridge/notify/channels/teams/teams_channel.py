"""Teams as a kind of channel."""

from typing import TYPE_CHECKING, Final

from weighbridge.config.channels.channel_settings import PostSettings
from weighbridge.notify.channel_kind import channel_kind

if TYPE_CHECKING:
    from weighbridge.ports.protocols import Notifier


def _open(channel: PostSettings) -> "Notifier":
    # Late: who only reads the configuration sends nothing.
    from weighbridge.notify.channels.teams.payload import teams_payload
    from weighbridge.notify.post import JSONNotifier, receiver_of

    return JSONNotifier(receiver_of(channel), teams_payload)


TEAMS: Final = channel_kind(PostSettings, _open)
