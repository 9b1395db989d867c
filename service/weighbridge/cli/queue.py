"""`weighbridge queue [REGISTRY[/REPOSITORY]]`: what waits, and why."""

from typing import Final

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.process.streams import emit

_EXAMPLES: Final = """\b
Examples:
  weighbridge queue
  weighbridge queue hub
  weighbridge queue hub/library/python
"""


@click.command(epilog=_EXAMPLES)
@click.argument("target", metavar="[REGISTRY[/REPOSITORY]]", required=False)
@common_options(results=True, sizes=False)
def command(options: Options, target: str | None) -> None:
    """Show what waits to be done, and why it is not done now.

    Without a name: how long ago a scheduler searched for what is due, what is due in
    each queue and since when, what waits of each registry, and what workers have done.
    With a registry: its repositories that are crawled, parked, due or put off; with a
    repository: why that one is not crawled at this moment.
    """
    settings = options.settings(ending="")

    from weighbridge.cli.actions import queue

    screen, output = options.screen(), options.output
    if target is None:
        status = queue.queue_status(settings)
        emit(queue.overview(status, output, screen))
        for line in queue.notes(status):
            click.echo(line, err=True)
        return
    rows, now = queue.waiting_of(settings, target)
    emit(queue.repositories(rows, output, screen, now))
