"""`weighbridge serve`: pages, API and metrics; workers crawl."""

import os
from typing import Final

import click

from weighbridge.cli.options.common import Options, common_options

_EXAMPLES: Final = """\b
Examples:
  weighbridge serve --config weighbridge.yaml
  weighbridge serve --bind 127.0.0.1:9000
"""


@click.command(epilog=_EXAMPLES)
@click.option("--bind", metavar="HOST:PORT", help="Where to serve.")
@common_options()
def command(options: Options, bind: str | None) -> int:
    """Serve pages, API and metrics, and crawl nothing.

    Any number may run beside `weighbridge worker` and `weighbridge scheduler`, over
    the same database.
    """
    settings = options.settings(bind=bind, policy_files=True)
    policies = options.policies()

    from weighbridge.web.server.free_address import check_listeners

    check_listeners(settings)

    from weighbridge.jobs.worker_processes import require_workers

    require_workers()

    from weighbridge.bootstrap.distributed.joining import warnings_of_service
    from weighbridge.cli.process.log_lines import configure_log
    from weighbridge.cli.process.stopping import stopped_by_sigterm
    from weighbridge.config import shown_url
    from weighbridge.service_manager import ServiceManager
    from weighbridge.web.server import running

    place = shown_url(settings.database_url)
    lines = [f"reads   {place}", *warnings_of_service(settings)]
    configure_log(settings)
    with stopped_by_sigterm() as stops:
        try:
            running.serve(
                settings,
                policies,
                lambda: click.echo("\n".join(lines), err=True),
                ServiceManager(os.environ),
            )
        except KeyboardInterrupt:
            return stops.code
    return 0
