"""`weighbridge registry ...`: may a registry be crawled, and what does that cost?"""

from typing import Final

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.options.parameters import TIMEOUT, TIMEOUT_HELP, SuggestingGroup
from weighbridge.cli.process.failure import NOT_WEIGHED
from weighbridge.cli.process.streams import emit

_EXAMPLES: Final = """\b
Examples:
  weighbridge registry check hub
  weighbridge registry check 127.0.0.1:5000 -o json
"""


@click.group(cls=SuggestingGroup, epilog=_EXAMPLES)
def command() -> None:
    """Try registries before they are crawled."""


@command.command(epilog=_EXAMPLES)
@click.argument("name")
@click.option("--timeout", "timeout_s", type=TIMEOUT, default="5m", help=TIMEOUT_HELP)
@common_options(results=True, sizes=False)
def check(options: Options, name: str, timeout_s: int) -> int:
    """Try to sign in to a registry, its listings, and one image.

    NAME is configured, or an address; where an entry is several registries, its name
    means all of them. Shows what kind the registry is and why, what
    may be read there, the requests that this took and what is left of a limit. One
    image is read, which counts as a pull. Exits with 3 if a step failed.
    """
    settings = options.settings(ending="")

    from weighbridge.bootstrap.one_image.registry_check import check_registries
    from weighbridge.cli.actions import registry_check

    done = check_registries(settings, name, options.docker_config(), timeout_s)
    for each in done:
        for warning in registry_check.warnings_of(each):
            click.echo(f"warning: {warning}", err=True)
    emit(registry_check.printed(done, options.output, options.screen()))
    for each in done:
        for line in registry_check.hints(each):
            start = f"{each.name}: " if len(done) > 1 else ""
            click.echo(f"{start}{line}", err=True)
    return NOT_WEIGHED if any(each.has_failed for each in done) else 0
