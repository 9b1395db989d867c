"""What `weighbridge notify` does with channels, and prints.

A test message goes to each of them, and what became of it is told.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from weighbridge.bootstrap.engine.channels import open_channels
from weighbridge.config import Settings
from weighbridge.config.channels.channel_settings import ChannelSettings
from weighbridge.domain.growth.cause import Cause, LineChange
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.message.grouping import Message, ViolationNotice
from weighbridge.domain.report.inventory import ChannelReport
from weighbridge.domain.text.nearest import nearest
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_duration
from weighbridge.errors import NotifyError, UsageError
from weighbridge.ports.protocols import Notifier
from weighbridge.presentation.forms.phrases import ago, ahead
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.rows.report_rows import keys_of

Watch = Callable[[str, int, int], None]
_LOOKED_EVERY_S: Final = 0.2
_SIGNED: Final = {None: "", True: "yes", False: "no"}
_WRITE: Final = "write one under channels: in weighbridge.yaml"


def notification_status(settings: Settings) -> list[ChannelReport]:
    """Every channel that something was ever to be told on. Raises
    StoreError(no_database)."""
    # Imported late: SQL takes half a second to load, and the others read none.
    from weighbridge.bootstrap.databases import read_database
    from weighbridge.store.outbox.due_groups import channel_reports

    with read_database(settings) as connection:
        return channel_reports(connection)


class Tried(Struct, frozen=True):
    """What became of one test message; error: None where it was taken."""

    channel: str
    kind: str
    error: NotifyError | None
    elapsed_s: float


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
    async with aclosing(open_channels(settings)) as channels:
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


def _unknown(name: str, known: list[str]) -> UsageError:
    near = nearest(name, known, 1)
    advice = f"there are {', '.join(known)}" if known else _WRITE
    return UsageError(
        f"no channel is called {name!r}",
        code="unknown_channel",
        hint=f"nearest  {near[0]}" if near else advice,
    )


def printed(
    reports: Sequence[ChannelReport], output: Output, screen: Screen, now: datetime
) -> str:
    """A row a channel."""
    beside = {"next_cursor": None}
    return _table(now).printed(reports, output, screen, beside=beside)


def _table(now: datetime) -> Table[ChannelReport]:
    return Table(
        columns=(
            Column("channel", lambda one: one.channel, "name"),
            Column("state", lambda one: one.state, rank=6),
            Column("waiting", lambda one: str(one.waiting), "number", rank=5),
            Column(
                "since",
                lambda one: ago(one.failing_since or one.oldest_waiting_at, now),
                rank=3,
            ),
            Column("next", lambda one: ahead(one.next_at, now), rank=2),
            Column("error", lambda one: one.error_code or "", rank=4),
            Column("last sent", lambda one: ago(one.last_sent_at, now)),
            Column("given up", lambda one: str(one.given_up), "number", rank=1),
        ),
        keys=keys_of(ChannelReport),
        has_keys_in_markdown=True,
        empty="no notification was ever due",
    )


def tried(results: Sequence[Tried], output: Output, screen: Screen) -> str:
    """A row a channel: whether the message was taken, else why not."""
    return _TRIED.printed(results, output, screen)


def hints(results: Sequence[Tried]) -> list[str]:
    """What may help, a line for each channel that has one."""
    return [
        printable(f"{one.channel}: {one.error.hint}")
        for one in results
        if one.error is not None and one.error.hint
    ]


def _tried(one: Tried) -> Mapping[str, object]:
    error = one.error
    return {
        "channel": one.channel,
        "kind": one.kind,
        "result": _result(one),
        "seconds": round(one.elapsed_s, 3),
        "code": None if error is None else error.code,
        "message": None if error is None else printable(error.message),
    }


def _result(one: Tried) -> str:
    return "taken" if one.error is None else "failed"


def _why(one: Tried) -> str:
    if one.error is None:
        return ""
    message = one.error.message.removeprefix(f"channel {one.channel}: ")
    return f"{message} [{one.error.code}]"


_TRIED: Final[Table[Tried]] = Table(
    columns=(
        Column("channel", lambda one: one.channel, "name"),
        Column("kind", lambda one: one.kind),
        Column("result", _result, rank=None),
        Column("time", lambda one: format_duration(one.elapsed_s), rank=1),
        Column("why", _why, "line"),
    ),
    keys=("channel", "kind", "result", "seconds", "code", "message"),
    as_object=_tried,
    has_keys_in_markdown=True,
)


def listed(settings: Settings, output: Output, screen: Screen) -> str:
    """A row a channel, in its order, without its secrets."""

    def routes(channel: ChannelSettings) -> int | None:
        """How many lead to it; None where there are none at all, so that it is told
        of everything."""
        if not settings.routes:
            return None
        return sum(route.channel == channel.name for route in settings.routes)

    def row(channel: ChannelSettings) -> Mapping[str, object]:
        return {
            "channel": channel.name,
            "kind": channel.kind,
            "place": printable(channel.place),
            "signed": channel.is_signed,
            "routes": routes(channel),
        }

    table: Table[ChannelSettings] = Table(
        columns=(
            Column("channel", lambda channel: channel.name, "name"),
            Column("kind", lambda channel: channel.kind, rank=3),
            Column("place", lambda channel: channel.place, "line"),
            Column("signed", lambda channel: _SIGNED[channel.is_signed], rank=1),
            Column("routes", lambda one: _count(routes(one)), "number", rank=2),
        ),
        keys=("channel", "kind", "place", "signed", "routes"),
        as_object=row,
        has_keys_in_markdown=True,
        empty="no channel is configured: see channels in weighbridge.yaml",
    )
    return table.printed(settings.channels, output, screen)


def _count(number: int | None) -> str:
    return "" if number is None else str(number)
