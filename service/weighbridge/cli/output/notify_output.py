"""What `weighbridge notify` prints."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from weighbridge.bootstrap.commands.notify_test import ListedChannel, Tried
from weighbridge.domain.report.inventory import ChannelReport
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_duration
from weighbridge.presentation.forms.phrases import ago, ahead
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.rows.row_fields import keys_of


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


Row = Mapping[str, object]


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


def listed(channels: Sequence[ListedChannel], output: Output, screen: Screen) -> str:
    """A row a channel."""
    return _LISTED.printed(channels, output, screen)


def _tried(one: Tried) -> Row:
    error = one.error
    return {
        "channel": one.channel,
        "kind": one.kind,
        "result": _result(one),
        "seconds": round(one.elapsed_s, 3),
        "code": None if error is None else error.code,
        "message": None if error is None else printable(error.message),
    }


def _listed(channel: ListedChannel) -> Row:
    return {
        "channel": channel.name,
        "kind": channel.kind,
        "place": printable(channel.place),
        "signed": channel.is_signed,
        "routes": channel.routes,
    }


def _result(one: Tried) -> str:
    return "taken" if one.error is None else "failed"


def _why(one: Tried) -> str:
    if one.error is None:
        return ""
    message = one.error.message.removeprefix(f"channel {one.channel}: ")
    return f"{message} [{one.error.code}]"


def _signed(channel: ListedChannel) -> str:
    return {None: "", True: "yes", False: "no"}[channel.is_signed]


def _routes(channel: ListedChannel) -> str:
    return "" if channel.routes is None else str(channel.routes)


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
_LISTED: Final[Table[ListedChannel]] = Table(
    columns=(
        Column("channel", lambda channel: channel.name, "name"),
        Column("kind", lambda channel: channel.kind, rank=3),
        Column("place", lambda channel: channel.place, "line"),
        Column("signed", _signed, rank=1),
        Column("routes", _routes, "number", rank=2),
    ),
    keys=("channel", "kind", "place", "signed", "routes"),
    as_object=_listed,
    has_keys_in_markdown=True,
    empty="no channel is configured: see channels in weighbridge.yaml",
)
