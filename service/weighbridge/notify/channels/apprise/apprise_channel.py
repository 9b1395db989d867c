"""Apprise as a kind of channel: whatever that library knows."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from weighbridge.config.channels.channel_settings import (
    URL_CHARACTERS,
    URLSettings,
    no_url,
)
from weighbridge.notify.channel_kind import channel_kind

if TYPE_CHECKING:
    from weighbridge.ports.protocols import Notifier

_URL: Final = re.compile(r"[a-z][a-z0-9]{1,30}://\S+", re.ASCII)


class AppriseSettings(URLSettings):
    """An entry of `channels` with `kind: apprise`."""

    @classmethod
    def check_url(cls, text: str, said: Mapping[str, object]) -> None:
        if len(text) > URL_CHARACTERS or not _URL.fullmatch(text):
            raise no_url("is no URL of apprise, such as ntfy://TOPIC")

    @classmethod
    def shown_place(cls, url: str) -> str:
        # What follows may be the token itself.
        return f"{url.partition(':')[0]}://"


def _open(channel: AppriseSettings) -> "Notifier":
    # Late: who only reads the configuration sends nothing.
    from weighbridge.notify.channels.apprise.notifier import AppriseNotifier

    return AppriseNotifier(channel.name, channel.current_url)


APPRISE: Final = channel_kind(AppriseSettings, _open)
