"""Channels and what waits for them as JSON objects: the keys of API and CSV."""

from collections.abc import Sequence
from typing import Final

from weighbridge.domain.report.channel_report import ChannelReport
from weighbridge.presentation.rows.row_fields import keys_of, row_of

CHANNEL_COLUMNS: Final = keys_of(ChannelReport)


def channels_json(reports: Sequence[ChannelReport]) -> dict[str, object]:
    """All of them: there are never too many for one page."""
    items = [row_of(CHANNEL_COLUMNS, report) for report in reports]
    return {"items": items, "next_cursor": None}
