"""Channels and what waits for them as JSON objects: the keys of API and CSV."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Final

from weighbridge.domain.report.channel_report import ChannelReport
from weighbridge.domain.size.weighing import rfc3339

CHANNEL_COLUMNS: Final = tuple(field.name for field in fields(ChannelReport))


def channel_json(report: ChannelReport) -> dict[str, object]:
    """The row of one channel."""
    row: dict[str, object] = {}
    for name in CHANNEL_COLUMNS:
        value = getattr(report, name)
        row[name] = rfc3339(value) if isinstance(value, datetime) else value
    return row


def channels_json(reports: Sequence[ChannelReport]) -> dict[str, object]:
    """All of them: there are never too many for one page."""
    return {"items": [channel_json(one) for one in reports], "next_cursor": None}
