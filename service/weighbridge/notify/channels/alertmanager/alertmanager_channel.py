"""Alertmanagers as a kind of channel: all of them are told everything."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from pydantic import Field, PlainValidator, ValidationInfo

from weighbridge.config.channels.channel_settings import (
    HTTPSettings,
    check_http_url,
    refused_secretly,
    url_host,
)
from weighbridge.domain.text.printable import Secret
from weighbridge.notify.channel_kind import channel_kind

if TYPE_CHECKING:
    from weighbridge.ports.protocols import Notifier

ALERTMANAGERS: Final = 16
_ALERTS: Final = "/api/v2/alerts"


def _listed_url(value: object, info: ValidationInfo) -> str:
    if not isinstance(value, str):
        raise refused_secretly("invalid_value", "must be a text: put it in quotes")
    if "?" in value:
        raise refused_secretly("invalid_url", "must end before the query")
    if "kind" in info.data:
        check_http_url(value, info.data)
    return value.rstrip("/")


ListedURL = Annotated[str, PlainValidator(_listed_url)]


class AlertmanagerSettings(HTTPSettings):
    """An entry of `channels` with `kind: alertmanager`."""

    takes_messages: ClassVar[bool] = False

    urls: Annotated[tuple[ListedURL, ...], Field(max_length=ALERTMANAGERS)]

    @property
    def place(self) -> str:
        return ", ".join(map(url_host, self.urls))


def _open(channel: AlertmanagerSettings) -> "Notifier":
    # Late: who only reads the configuration sends nothing.
    from weighbridge.notify.channels.alertmanager.notifier import (
        Alertmanager,
        AlertmanagerNotifier,
    )
    from weighbridge.notify.post import MessageReceiver, transport_of

    receivers = [
        MessageReceiver(
            channel.name, partial(Secret, f"{url}{_ALERTS}"), transport_of(channel)
        )
        for url in channel.urls
    ]
    is_alone = len(receivers) == 1
    each = [
        Alertmanager(receiver, None if is_alone else number)
        for number, receiver in enumerate(receivers, start=1)
    ]
    return AlertmanagerNotifier(channel.name, each)


ALERTMANAGER: Final = channel_kind(AlertmanagerSettings, _open)
