"""What `weighbridge notify` prints."""

from collections.abc import Mapping, Sequence
from typing import Final

from weighbridge.bootstrap.commands.notify_test import ListedChannel, Tried
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_duration
from weighbridge.presentation.forms.screen import Output, Screen, aligned
from weighbridge.presentation.forms.tables import (
    code,
    csv_table,
    json_text,
    markdown_table,
)

Row = Mapping[str, object]

_TRIED: Final = ("channel", "kind", "result", "seconds", "code", "message")
_LISTED: Final = ("channel", "kind", "place", "signed", "routes")


def tried(results: Sequence[Tried], output: Output, screen: Screen) -> str:
    """A row a channel: whether the message was taken, else why not."""
    rows = [_tried(one) for one in results]
    if output != "table":
        return _for_programs(_TRIED, rows, output)
    table = [["CHANNEL", "KIND", "RESULT", "TIME", "WHY"]]
    table += [
        [one.channel, one.kind, _result(one), format_duration(one.elapsed_s), _why(one)]
        for one in results
    ]
    return "\n".join(aligned(table, screen, gap=2))


def hints(results: Sequence[Tried]) -> list[str]:
    """What may help, a line for each channel that has one."""
    return [
        printable(f"{one.channel}: {one.error.hint}")
        for one in results
        if one.error is not None and one.error.hint
    ]


def listed(channels: Sequence[ListedChannel], output: Output, screen: Screen) -> str:
    """A row a channel."""
    rows = [_listed(channel) for channel in channels]
    if output != "table":
        return _for_programs(_LISTED, rows, output)
    if not rows:
        return "no channel is configured: see channels in weighbridge.yaml"
    table = [[key.upper() for key in _LISTED]]
    table += [[_cell(row[key]) for key in _LISTED] for row in rows]
    return "\n".join(aligned(table, screen, gap=2))


def _for_programs(keys: Sequence[str], rows: Sequence[Row], output: Output) -> str:
    if output == "json":
        return json_text({"items": rows})
    if output == "csv":
        return csv_table(keys, rows)
    cells = [[code(_cell(row[key])) for key in keys] for row in rows]
    return markdown_table(keys, cells)


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
    return printable(f"{message} [{one.error.code}]")


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
