"""What `weighbridge notify status` reads."""

from weighbridge.bootstrap.databases import ready_database
from weighbridge.config import Settings
from weighbridge.domain.report.channel_report import ChannelReport
from weighbridge.store.reports.notifications import channel_reports


def notification_status(settings: Settings) -> list[ChannelReport]:
    """Every channel that something was ever to be told on. Raises
    StoreError(no_database)."""
    with (
        ready_database(settings, must_exist=True) as database,
        database.read() as connection,
    ):
        return channel_reports(connection)
