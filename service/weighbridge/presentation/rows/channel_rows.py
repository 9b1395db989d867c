"""Channels and what waits for them as JSON objects: the keys of API and CSV."""

from collections.abc import Sequence
from typing import Final

from weighbridge.domain.report.channel_report import ChannelReport
from weighbridge.presentation.rows.row_fields import keys_of, row_of

CHANNEL_COLUMNS: Final = keys_of(ChannelReport)


def channel_json(report: ChannelReport) -> dict[str, object]:
    """The row of one channel."""
    return row_of(CHANNEL_COLUMNS, report)


def channels_json(reports: Sequence[ChannelReport]) -> dict[str, object]:
    """All of them: there are never too many for one page."""
    return {"items": [channel_json(one) for one in reports], "next_cursor": None}
