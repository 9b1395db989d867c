"""`weighbridge bases [REF]`: what the images stand on, and what is to be rebuilt."""

from typing import Final

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.options.parameters import Count
from weighbridge.cli.process.streams import emit

_EXAMPLES: Final = """\b
Examples:
  weighbridge bases
  weighbridge bases --outdated
  weighbridge bases debian:stretch
  weighbridge bases python:3.7 --outdated -o csv
  weighbridge bases --by images --limit 5 -o markdown
"""
_BY: Final = (
    "weighed",
    "base",
    "own",
    "stored",
    "saved",
    "compressed",
    "images",
    "outdated",
    "repositories",
    "rebuild",
    "name",
)


@click.command(epilog=_EXAMPLES)
@click.argument("reference", metavar="[REF]", required=False)
@click.option(
    "--outdated", "only_outdated", is_flag=True, help="Only what is to be rebuilt."
)
@click.option("--limit", type=Count(1, 1000), default=100, help="How many, 1 to 1000.")
@click.option(
    "--by",
    type=click.Choice(_BY),
    default="weighed",
    help="What is compared: bytes of all images on it, of the base in each, ...",
)
@click.option("--ascii", "wants_ascii", is_flag=True, help="No blocks, no signs.")
@common_options(results=True)
def command(
    options: Options,
    reference: str | None,
    only_outdated: bool,
    limit: int,
    by: str,
    wants_ascii: bool,
) -> None:
    """Show which bases the images stand on.

    Each base by its name in FROM, with the images and repositories on it, what of their
    bytes is the base's, and how many repositories are to be rebuilt, as the name leads
    to another build now. With REF the images on this base, those that are
    outdated first. Only what a crawl has kept is read; no registry is asked.
    """
    settings = options.settings()
    screen = options.screen(wants_ascii=wants_ascii)

    from weighbridge.cli.actions.bases import bases, one_base

    if reference is None:
        text = bases(
            settings,
            options.output,
            screen,
            by=by,
            limit=limit,
            only_outdated=only_outdated,
        )
    else:
        text = one_base(
            settings,
            options.output,
            screen,
            reference,
            limit=limit,
            only_outdated=only_outdated,
        )
    emit(text)
