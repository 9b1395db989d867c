"""How a channel reaches its receivers, as its settings say."""

from typing import Final

from weighbridge.config.channels.channel_settings import (
    HTTPSettings,
    PostSettings,
    ReachSettings,
)
from weighbridge.net.connection.tls import client_tls
from weighbridge.net.connections import Connections
from weighbridge.net.guard.reach import Reach
from weighbridge.net.transport import Transport
from weighbridge.notify.post import MessageReceiver

CONNECTIONS: Final = 4
"""Messages to one channel at the same time."""


def ceiling_of(channel: ReachSettings) -> Reach:
    """How near its receivers may be. Addresses that are never reached stay refused
    either way."""
    return Reach.LOOPBACK if channel.allow_private else Reach.PUBLIC


def receiver_of(channel: PostSettings) -> MessageReceiver:
    """The one address that it has. Raises ConfigError(ca_file)."""
    return MessageReceiver(channel.name, channel.current_url, transport_of(channel))


def transport_of(channel: HTTPSettings) -> Transport:
    """Nothing is kept open between two messages: they seldom follow each other soon.
    Raises ConfigError(ca_file)."""
    # The system's certificates are read by the first connection that needs them.
    ca_file = ca_file_of(channel)
    tls = None if ca_file is None else client_tls(ca_file)
    connections = Connections(connections=CONNECTIONS, tls=tls, keepalive_s=0.0)
    return Transport(connections, ceiling=ceiling_of(channel))


def ca_file_of(channel: ReachSettings) -> str | None:
    """The authorities that its receivers' certificates may be from."""
    return None if channel.ca_file is None else str(channel.ca_file)
