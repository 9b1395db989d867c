"""`weighbridge health`: is the service alive? For containers, which have no curl."""

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.process.failure import FOUND
from weighbridge.cli.process.streams import emit

_EXAMPLES = """\b
Examples:
  weighbridge health
  weighbridge health --url http://127.0.0.1:9000
"""


@click.command(epilog=_EXAMPLES)
@click.option(
    "--url", metavar="URL", help="Of the service; else where it is configured to be."
)
@common_options(database=False)
def command(options: Options, url: str | None) -> int:
    """Check whether a running service answers.

    Exits with 1 if it is not.
    """
    from weighbridge.bootstrap.commands.health import own_url, why_unhealthy
    from weighbridge.domain.text.printable import printable

    url = (url or own_url(options.settings(ending="").web.bind)).rstrip("/")
    if (why := why_unhealthy(url)) is not None:
        click.echo(f"not alive: {printable(why)}", err=True)
        return FOUND
    emit(f"alive: {printable(url)}")
    return 0
