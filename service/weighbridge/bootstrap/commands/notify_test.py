"""Tries channels: a test message to each, and what became of it."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Final

from msgspec import Struct

from weighbridge.bootstrap.engine.channels import open_channels
from weighbridge.config import Settings
from weighbridge.domain.growth.cause import Cause, LineChange
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.message.message import Message, ViolationNotice
from weighbridge.errors import NotifyError, UsageError
from weighbridge.ports.protocols import Notifier

Watch = Callable[[str, int, int], None]
_LOOKED_EVERY_S: Final = 0.2
_WRITE: Final = "write one under channels: in weighbridge.yaml"


class Tried(Struct, frozen=True):
    """What became of one test message; error: None where it was taken."""

    channel: str
    kind: str
    error: NotifyError | None
    elapsed_s: float


class ListedChannel(Struct, frozen=True):
    """A channel without its secrets.

    routes: how many of `routes` lead to it; None where there are none at all, so that
            it is told of everything
    """

    name: str
    kind: str
    place: str
    is_signed: bool | None
    routes: int | None


def list_channels(settings: Settings) -> list[ListedChannel]:
    """Every configured channel, in its order."""
    return [
        ListedChannel(
            name=channel.name,
            kind=channel.kind,
            place=channel.place,
            is_signed=channel.is_signed,
            routes=_routes_to(settings, channel.name),
        )
        for channel in settings.channels
    ]


def try_channels(
    settings: Settings, names: Sequence[str], *, watch: Watch
) -> list[Tried]:
    """Send a test message to each of these channels, to all at once.

    names: () for every channel
    Raises UsageError(unknown_channel), ConfigError(ca_file).
    """
    known = {channel.name: channel.kind for channel in settings.channels}
    for name in names:
        if name not in known:
            raise _unknown(name, list(known))
    if not known:
        raise UsageError(
            "no channel is configured", code="unknown_channel", hint=_WRITE
        )
    wanted = list(dict.fromkeys(names)) or list(known)
    return asyncio.run(_try_all(settings, wanted, known, watch))


async def _try_all(
    settings: Settings, wanted: Sequence[str], kinds: Mapping[str, str], watch: Watch
) -> list[Tried]:
    async with open_channels(settings) as channels:
        waiting: set[asyncio.Task[Tried]] = set()
        tasks: list[asyncio.Task[Tried]] = []
        for name in wanted:
            notifier = channels.find(name)
            if notifier is not None:
                task = asyncio.create_task(_try(notifier, kinds[name], settings))
                waiting.add(task)
                tasks.append(task)
        while waiting:
            watch("channels", len(tasks) - len(waiting), len(tasks))
            _, waiting = await asyncio.wait(waiting, timeout=_LOOKED_EVERY_S)
        return [task.result() for task in tasks]


async def _try(notifier: Notifier, kind: str, settings: Settings) -> Tried:
    began = time.monotonic()
    error: NotifyError | None = None
    try:
        await notifier.send(a_test_message(settings))
    except NotifyError as exc:
        error = exc
    return Tried(notifier.name, kind, error, time.monotonic() - began)


def a_test_message(settings: Settings) -> Message:
    """A message as one would be, of an image that does not exist."""
    now = datetime.now(UTC)
    line = LineChange(
        kind="added",
        instruction="RUN pip install torch",
        before_amount=None,
        amount=592_000_000,
        grown_amount=592_000_000,
    )
    told = ViolationNotice(
        violation_id=0,
        event="opened",
        registry="example",
        repository="shop/api",
        tag="1.4.2",
        digest=Digest("sha256:" + "0" * 64),
        platform="linux/amd64",
        policy="example",
        team=None,
        severity="info",
        limit_key="max_compressed",
        limit_amount=500_000_000,
        amount=1_083_000_000,
        baseline_compressed_bytes=None,
        before_compressed_bytes=471_000_000,
        compressed_bytes=1_083_000_000,
        uncompressed_bytes=2_510_000_000,
        cause=Cause("own", None, (line,), grown_amount=612_000_000),
        opened_at=now,
        closed_at=None,
        closed_by=None,
        url=settings.web.external_url,
    )
    key = f"test_{secrets.token_hex(16)}"
    return Message(key, "", (told,), 0, now, is_test=True)


def _routes_to(settings: Settings, name: str) -> int | None:
    if not settings.routes:
        return None
    return sum(route.channel == name for route in settings.routes)


def _unknown(name: str, known: list[str]) -> UsageError:
    nearest = get_close_matches(name, known, n=1, cutoff=0.5)
    advice = f"there are {', '.join(known)}" if known else _WRITE
    return UsageError(
        f"no channel is called {name!r}",
        code="unknown_channel",
        hint=f"nearest  {nearest[0]}" if nearest else advice,
    )
