"""What comes in and goes out: secrets of webhooks, and where channels lead."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from typing import Final

from msgspec.structs import replace

from weighbridge.bootstrap.doctor.check import CheckResult, Installation, fault_of
from weighbridge.config.channels.channel_settings import ChannelSettings
from weighbridge.errors import NotifyError
from weighbridge.notify.channels.channel_table import CHANNEL_KINDS
from weighbridge.ports.protocols import Reachable
from weighbridge.presentation.forms.phrases import plural

CHANNEL: Final = "channel"
WEBHOOK: Final = "webhook"
_CHECK: Final = (
    "check its address, that it runs, and whether a firewall is between or a proxy"
    " is needed"
)


def configured_webhooks(installation: Installation) -> Sequence[str]:
    """By the registry and source of each."""
    webhooks = installation.settings.webhooks
    return list(dict.fromkeys(f"{one.registry} {one.source}" for one in webhooks))


def look_at_webhook(installation: Installation, subject: str) -> Iterator[CheckResult]:
    """Whether its secrets can be read now."""
    secrets = [
        secret
        for one in installation.settings.webhooks
        if f"{one.registry} {one.source}" == subject
        for secret in one.current_secrets()
    ]
    text = f"{plural(len(secrets), 'secret')} that senders may use"
    yield CheckResult(f"{WEBHOOK} {subject}", "ok", text)


def configured_channels(installation: Installation) -> Sequence[str]:
    return [channel.name for channel in installation.settings.channels]


def look_at_channel(installation: Installation, name: str) -> Iterator[CheckResult]:
    """Whether a message would find its way there; none is sent."""
    channels = installation.settings.channels
    channel = next(one for one in channels if one.name == name)
    of = f"{CHANNEL} {name}"
    try:
        is_reached = asyncio.run(_reached(channel, installation.timeout_s))
    except NotifyError as exc:
        found = fault_of(of, exc)
        yield replace(
            found,
            text=found.text.removeprefix(f"channel {name}: "),
            action=found.action or _CHECK,
        )
        return
    if is_reached:
        yield CheckResult(of, "ok", f"{channel.place} is reached; nothing was sent")
    else:
        text = f"not tried: what {channel.kind} connects to is its own affair"
        yield CheckResult(of, "ok", f"{text}; weighbridge notify test {name} sends")


async def _reached(channel: ChannelSettings, timeout_s: int) -> bool:
    """False where only a message would show it. Raises NotifyError, ConfigError."""
    async with aclosing(CHANNEL_KINDS[channel.kind].open(channel)) as notifier:
        if not isinstance(notifier, Reachable):
            return False
        try:
            async with asyncio.timeout(timeout_s):
                await notifier.reach()
        except TimeoutError as exc:
            raise NotifyError(
                f"channel {channel.name}: no connection within {timeout_s} s",
                code="deadline",
                hint="see whether a firewall is between, or a proxy is needed",
            ) from exc
    return True
