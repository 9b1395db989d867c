"""Channels as the configuration has them, opened as the service opens them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import yaml

from weighbridge.bootstrap.engine.channels import OpenChannels, open_channels
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import Settings, load_settings
from weighbridge.ports.protocols import Notifier


def settings_with(folder: Path, *channels: Mapping[str, object]) -> Settings:
    """Settings with these channels; files are beside them in the folder."""
    file = folder / "weighbridge.yaml"
    file.write_text(yaml.safe_dump({"channels": [dict(c) for c in channels]}))
    return load_settings(str(file), {}, KINDS)


@asynccontextmanager
async def opened(
    folder: Path, *channels: Mapping[str, object]
) -> AsyncIterator[OpenChannels]:
    """These channels, until the block ends."""
    async with aclosing(open_channels(settings_with(folder, *channels))) as found:
        yield found


@asynccontextmanager
async def a_channel(folder: Path, **keys: object) -> AsyncIterator[Notifier]:
    """One channel, called `ops`, that may be on loopback."""
    channel = {"name": "ops", "allow_private": True, **keys}
    async with opened(folder, channel) as channels:
        found = channels.find("ops")
        assert found is not None
        yield found
