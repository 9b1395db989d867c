"""What `weighbridge notify status` prints."""

from collections.abc import Sequence
from datetime import datetime

from weighbridge.domain.report.channel_report import ChannelReport
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
