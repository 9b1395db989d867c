"""`weighbridge notify status`: what waits for each channel, and what went wrong."""

from datetime import UTC, datetime
from typing import Final

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.process.streams import emit

_EXAMPLE: Final = "\b\nExample:\n  weighbridge notify status"


@click.command("status", epilog=_EXAMPLE)
@common_options(results=True, sizes=False)
def status(options: Options) -> int:
    """Show what waits for each channel, since when one fails, what was given up.

    WAITING counts notifications: an opening or an end of one violation each. A message
    is tried for a day, and then given up.
    """
    settings = options.settings()

    from weighbridge.bootstrap.commands.reports import notification_status
    from weighbridge.presentation.reports import channel_output

    now = datetime.now(UTC)
    found = notification_status(settings)
    emit(channel_output.printed(found, options.output, options.screen(), now))
    return 0
