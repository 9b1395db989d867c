"""Notifiers: what `channels` says, with transports and secrets behind it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from weighbridge.config import Settings
from weighbridge.domain.text.secret import Secret
from weighbridge.net.connection.tls import client_tls, mail_tls
from weighbridge.net.guard.reach import Reach
from weighbridge.net.transport import Transport
from weighbridge.notify.channels.alertmanager.notifier import (
    Alertmanager,
    AlertmanagerNotifier,
)
from weighbridge.notify.channels.apprise.notifier import AppriseNotifier
from weighbridge.notify.channels.email.notifier import EmailNotifier
from weighbridge.notify.channels.email.smtp import MailServer
from weighbridge.notify.channels.slack.payload import slack_payload
from weighbridge.notify.channels.teams.payload import teams_payload
from weighbridge.notify.channels.webhook.notifier import WebhookNotifier
from weighbridge.notify.post import JSONNotifier, MessageReceiver
from weighbridge.ports.protocols import Notifier

if TYPE_CHECKING:
    from weighbridge.config.channels.channel_settings import ChannelSettings

CONNECTIONS = 4
"""Messages to one channel at the same time."""
_ALERTS = "/api/v2/alerts"
_PAYLOADS = {"slack": slack_payload, "teams": teams_payload}
"""Channels that take JSON at an address, without more."""


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


@asynccontextmanager
async def open_channels(settings: Settings) -> AsyncIterator[OpenChannels]:
    """All channels, closed at the end of the block. Raises ConfigError(ca_file)."""
    opened = make_channels(settings)
    try:
        yield opened
    finally:
        await opened.aclose()


def make_channels(settings: Settings) -> OpenChannels:
    """All channels, for whoever closes them. Raises ConfigError(ca_file)."""
    notifiers: dict[str, Notifier] = {}
    alertmanagers: dict[str, AlertmanagerNotifier] = {}
    for channel in settings.channels:
        if channel.takes_messages:
            notifiers[channel.name] = _notifier(channel)
        else:
            alertmanagers[channel.name] = _alertmanager(channel)
    return OpenChannels(notifiers, alertmanagers)


def _notifier(channel: "ChannelSettings") -> Notifier:
    if channel.kind == "email":
        return _email(channel)
    if channel.kind == "apprise":
        return AppriseNotifier(channel.name, channel.current_url)
    receiver = MessageReceiver(channel.name, channel.current_url, _ceiling(channel))
    if channel.kind in _PAYLOADS:
        return JSONNotifier(receiver, _transport(channel), _PAYLOADS[channel.kind])
    return WebhookNotifier(receiver, _transport(channel), channel.current_key)


def _alertmanager(channel: "ChannelSettings") -> AlertmanagerNotifier:
    ceiling = _ceiling(channel)
    receivers = [
        MessageReceiver(
            channel.name, partial(Secret, f"{url.rstrip('/')}{_ALERTS}"), ceiling
        )
        for url in channel.urls
    ]
    is_alone = len(receivers) == 1
    each = [
        Alertmanager(receiver, _transport(channel), None if is_alone else number)
        for number, receiver in enumerate(receivers, start=1)
    ]
    return AlertmanagerNotifier(channel.name, each)


def _email(channel: "ChannelSettings") -> EmailNotifier:
    smtp, sender = channel.smtp, channel.from_
    if smtp is None or sender is None:  # pragma: no cover - checked with the settings
        raise ValueError(f"channel {channel.name} is no e-mail")
    server = MailServer(
        host=smtp.host,
        port=smtp.decided_port,
        security=smtp.security,
        tls=partial(mail_tls, _ca_file(channel)),
        username=smtp.username,
        password=smtp.current_password,
    )
    ceiling = _ceiling(channel)
    return EmailNotifier(channel.name, server, ceiling, sender, channel.to)


def _ceiling(channel: "ChannelSettings") -> Reach:
    """Addresses that are never reached stay refused either way."""
    return Reach.LOOPBACK if channel.allow_private else Reach.PUBLIC


def _transport(channel: "ChannelSettings") -> Transport:
    """Nothing is kept open between two messages: on a connection that the receiver
    has closed meanwhile, the transport would send a message twice."""
    # The system's certificates are read by the first connection that needs them.
    ca_file = _ca_file(channel)
    tls = None if ca_file is None else client_tls(ca_file)
    return Transport(connections=CONNECTIONS, tls=tls, keepalive_s=0.0)


def _ca_file(channel: "ChannelSettings") -> str | None:
    return None if channel.ca_file is None else str(channel.ca_file)
