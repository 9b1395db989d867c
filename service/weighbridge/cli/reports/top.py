"""`weighbridge top`: the heaviest repositories of what was crawled."""

from collections.abc import Mapping
from importlib import import_module
from typing import Final

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.options.parameters import Count
from weighbridge.cli.process.streams import emit

_EXAMPLES = """\b
Examples:
  weighbridge top
  weighbridge top --limit 5 --registry harbor -o markdown
  weighbridge top --by growth
  weighbridge top --by exclusive -o csv
  weighbridge top --by saving
"""
_OF_REPOSITORIES: Final = (
    "compressed",
    "uncompressed",
    "growth",
    "deduplicated",
    "exclusive",
    "shared",
    "tags",
    "images",
    "name",
)
_BY: Final[Mapping[str, str]] = {
    **dict.fromkeys(_OF_REPOSITORIES, "weighbridge.cli.actions.top"),
    "saving": "weighbridge.cli.actions.top_savings",
}
"""By what is compared, the module whose `top` reads the rows and prints them."""


@click.command(epilog=_EXAMPLES)
@click.option("--limit", type=Count(1, 1000), default=20, help="How many, 1 to 1000.")
@click.option(
    "--by",
    type=click.Choice(list(_BY)),
    default="compressed",
    help="What is compared: the newest image, its growth, or storage.",
)
@click.option("--registry", metavar="NAME", help="Of this registry only.")
@click.option("--ascii", "wants_ascii", is_flag=True, help="No blocks, no signs.")
@common_options(results=True)
def command(
    options: Options, limit: int, by: str, registry: str | None, wants_ascii: bool
) -> None:
    """Show the heaviest repositories.

    Compares what a pull of each one's newest image moves; with --by growth, how
    much more that is than for the ten images before it; with --by exclusive, what
    deleting the repository would free; with --by saving, what a slimmer base would
    save its newest image. Only what a crawl has kept is read; no registry is asked.
    """
    settings = options.settings()
    screen = options.screen(wants_ascii=wants_ascii)

    printed = import_module(_BY[by]).top
    emit(
        printed(settings, options.output, screen, by=by, limit=limit, registry=registry)
    )
