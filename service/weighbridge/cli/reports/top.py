"""`weighbridge top`: the heaviest repositories of what was crawled."""

from collections.abc import Mapping
from importlib import import_module
from typing import Final

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.options.parameters import Count
from weighbridge.cli.process.streams import emit
from weighbridge.errors import UsageError

_EXAMPLES = """\b
Examples:
  weighbridge top
  weighbridge top --limit 5 --registry harbor -o markdown
  weighbridge top --by growth
  weighbridge top --by exclusive -o csv
  weighbridge top --by saving
  weighbridge top --by traffic --month 2026-11
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
_TRAFFIC: Final = "traffic"
_BY: Final[Mapping[str, str]] = {
    **dict.fromkeys(_OF_REPOSITORIES, "weighbridge.cli.actions.top"),
    "saving": "weighbridge.cli.actions.top_savings",
    _TRAFFIC: "weighbridge.cli.actions.top_traffic",
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
@click.option("--month", metavar="YYYY-MM", help="With --by traffic: of which month.")
@click.option("--ascii", "wants_ascii", is_flag=True, help="No blocks, no signs.")
@common_options(results=True)
def command(
    options: Options,
    limit: int,
    by: str,
    registry: str | None,
    month: str | None,
    wants_ascii: bool,
) -> None:
    """Show the heaviest repositories.

    Compares what a pull of each one's newest image moves; with --by growth, how
    much more that is than for the ten images before it; with --by exclusive, what
    deleting the repository would free; with --by saving, what a slimmer base would
    save its newest image; with --by traffic, what was pulled in a month, where the
    registry counts pulls. Only what a crawl has kept is read; no registry is asked.
    """
    settings = options.settings()
    screen = options.screen(wants_ascii=wants_ascii)

    if month is not None and by != _TRAFFIC:
        raise UsageError("--month says something of --by traffic alone")
    printed = import_module(_BY[by]).top
    asked = {"by": by, "limit": limit, "registry": registry}
    if by == _TRAFFIC:
        asked["month"] = month
    emit(printed(settings, options.output, screen, **asked))
