"""`weighbridge notify status`: what waits for each channel, and what went wrong."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.process.streams import emit
from weighbridge.domain.report.channel_report import ChannelReport
from weighbridge.presentation.forms.moments import ago, ahead
from weighbridge.presentation.forms.screen import Output, Screen
from weighbridge.presentation.forms.tables import json_text

_EXAMPLE: Final = "\b\nExample:\n  weighbridge notify status"
_NOTHING: Final = "no notification was ever due"
_COLUMNS: Final = (
    "CHANNEL",
    "STATE",
    "WAITING",
    "SINCE",
    "NEXT",
    "ERROR",
    "LAST SENT",
    "GIVEN UP",
)


@click.command("status", epilog=_EXAMPLE)
@common_options(results=True, sizes=False)
def status(options: Options) -> int:
    """Show what waits for each channel, since when one fails, what was given up.

    WAITING counts notifications: an opening or an end of one violation each. A message
    is tried for a day, and then given up.
    """
    settings = options.settings()

    from weighbridge.bootstrap.commands.reports import notification_status

    found = notification_status(settings)
    emit(shown(found, options.output, options.screen(), datetime.now(UTC)))
    return 0


def shown(
    reports: Sequence[ChannelReport], output: Output, screen: Screen, now: datetime
) -> str:
    """A row a channel."""
    from weighbridge.presentation.forms.screen import aligned
    from weighbridge.presentation.forms.tables import code, csv_table, markdown_table
    from weighbridge.presentation.rows.channel_rows import (
        CHANNEL_COLUMNS,
        channel_json,
        channels_json,
    )

    if output == "json":
        return json_text(channels_json(reports))
    rows = [channel_json(report) for report in reports]
    if output == "csv":
        return csv_table(CHANNEL_COLUMNS, rows)
    if output == "markdown":
        cells = [[code(_text(row[key])) for key in CHANNEL_COLUMNS] for row in rows]
        return markdown_table(CHANNEL_COLUMNS, cells)
    if not reports:
        return _NOTHING
    table = [list(_COLUMNS), *(_row(report, now) for report in reports)]
    return "\n".join(aligned(table, screen, gap=2))


def _row(report: ChannelReport, now: datetime) -> list[str]:
    since = report.failing_since or report.oldest_waiting_at
    return [
        report.channel,
        report.state,
        str(report.waiting),
        ago(since, now),
        ahead(report.next_at, now),
        report.error_code or "",
        ago(report.last_sent_at, now),
        str(report.given_up),
    ]


def _text(value: object) -> str:
    return "" if value is None else str(value)
