"""`weighbridge notify ...`: list channels, say what waits for them, and try them."""

import sys
from datetime import UTC, datetime
from typing import Final

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.options.parameters import SuggestingGroup
from weighbridge.cli.process.failure import NOT_WEIGHED
from weighbridge.cli.process.streams import emit

_EXAMPLE: Final = "\b\nExample:\n  weighbridge notify status"


_TEST: Final = """\b
Examples:
  weighbridge notify test ops
  weighbridge notify test --all
"""
_LIST: Final = "\b\nExample:\n  weighbridge notify list"


@click.group(cls=SuggestingGroup, epilog=_TEST)
def command() -> None:
    """List and test channels."""


@command.command(epilog=_TEST)
@click.argument("channels", metavar="[CHANNEL]...", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="Every channel.")
@common_options(database=False, results=True, sizes=False)
def test(options: Options, channels: tuple[str, ...], is_all: bool) -> int:
    """Send a test message to each CHANNEL, and show the result.

    The message is marked as a test and is of an image that does not exist. Each is
    tried once, for 30 seconds at most. Exits with 3 if one of them was not accepted.
    """
    from weighbridge.errors import UsageError

    if bool(channels) == is_all:
        raise UsageError("name the channels to try, or add --all for every one")
    settings = options.settings(ending="")

    from weighbridge.cli.actions.channels import hints, tried, try_channels
    from weighbridge.cli.actions.progress import watching

    with watching(options.screen(is_error=True), sys.stderr) as watch:
        results = try_channels(settings, channels, watch=watch)
    emit(tried(results, options.output, options.screen()))
    for line in hints(results):
        click.echo(line, err=True)
    return NOT_WEIGHED if any(one.error for one in results) else 0


@command.command("list", epilog=_LIST)
@common_options(database=False, results=True, sizes=False)
def list_(options: Options) -> None:
    """List the configured channels, without their secrets."""
    settings = options.settings(ending="")

    from weighbridge.cli.actions.channels import listed

    emit(listed(settings, options.output, options.screen()))


@command.command("status", epilog=_EXAMPLE)
@common_options(results=True, sizes=False)
def status(options: Options) -> None:
    """Show what waits for each channel, since when one fails, what was given up.

    WAITING counts notifications: an opening or an end of one violation each. A message
    is tried for a day, and then given up.
    """
    settings = options.settings()

    from weighbridge.cli.actions import channels

    found, now = channels.notification_status(settings), datetime.now(UTC)
    emit(channels.printed(found, options.output, options.screen(), now))
