"""`weighbridge history`: since when an image is so large, and which line did it."""

from datetime import UTC, datetime
from typing import Final

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.options.parameters import Count
from weighbridge.cli.process.streams import emit

_EXAMPLES: Final = """\b
Examples:
  weighbridge history hub/library/python
  weighbridge history hub/library/python:3.7 --since 90d
  weighbridge history harbor/shop/api:latest --platform linux/arm64 -o csv
"""


@click.command(epilog=_EXAMPLES)
@click.argument("ref")
@click.option(
    "--platform", metavar="OS/ARCH", help="Of this platform; else of the usual one."
)
@click.option(
    "--since",
    metavar="DURATION|DATE|TIME",
    help="Steps since then only: 90d, 2026-01-31, 2026-01-31T12:00:00Z.",
)
@click.option("--limit", type=Count(1, 1000), default=20, help="How many, 1 to 1000.")
@click.option("--ascii", "wants_ascii", is_flag=True, help="No blocks, no signs.")
@common_options(results=True)
def command(
    options: Options,
    ref: str,
    platform: str | None,
    since: str | None,
    limit: int,
    wants_ascii: bool,
) -> None:
    """Show since when REF is as large as it is, and which line did it.

    REF is registry/repository:tag, for every move of that tag, or registry/repository,
    for what its newest image was. Tags that came to one image together are one step.
    The latest step is first; each is compared with the one before it. Only what crawls
    and webhooks saw is read, in the order in which they saw it; no registry is asked.
    """
    settings = options.settings()
    screen = options.screen(wants_ascii=wants_ascii)

    from weighbridge.cli.actions import history

    found = history.history(
        settings,
        ref,
        platform=platform,
        since=since,
        limit=limit,
        now=datetime.now(UTC),
    )
    emit(history.printed(found, options.output, screen))
