"""`weighbridge scheduler`: enqueues due work; workers do it."""

import os
from typing import Final

import click

from weighbridge.cli.options.common import Options, common_options

_EXAMPLES: Final = """\b
Example:
  weighbridge scheduler --config weighbridge.yaml
"""


@click.command(epilog=_EXAMPLES)
@common_options()
def command(options: Options) -> int:
    """Enqueue what is due, every few seconds, for workers to do.

    One is enough. A second one is harmless: the database decides what is due and who
    does it.
    """
    settings = options.settings()

    from weighbridge.jobs.worker_processes import (
        become,
        celery_command,
        require_workers,
    )

    require_workers()

    from weighbridge.bootstrap.distributed.joining import check_distributed
    from weighbridge.cli.process.log_lines import configure_log
    from weighbridge.cli.process.stopping import stopped_by_sigterm
    from weighbridge.service_manager import ServiceManager

    configure_log(settings)
    with stopped_by_sigterm() as stops:
        try:
            warnings = check_distributed(settings, ServiceManager(os.environ))
        except KeyboardInterrupt:
            return stops.code
    for line in warnings:
        click.echo(line, err=True)
    become(celery_command("beat"), options.handed_over(settings, os.environ))
