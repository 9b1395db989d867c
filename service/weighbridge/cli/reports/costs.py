"""`weighbridge costs`: what each team stored and pulled in a month, and the price."""

from typing import Final

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.options.parameters import Count
from weighbridge.cli.process.streams import emit

_EXAMPLES: Final = """\b
Examples:
  weighbridge costs
  weighbridge costs --per project --month 2026-11
  weighbridge costs --per repository --registry harbor -o csv
"""
_PER: Final = ("team", "project", "registry", "repository")


@click.command(epilog=_EXAMPLES)
@click.option(
    "--per",
    type=click.Choice(_PER),
    default="team",
    help="Whose: a team is that of the policies, a project the first part of a name.",
)
@click.option("--month", metavar="YYYY-MM", help="In UTC; else this month so far.")
@click.option("--registry", metavar="NAME", help="Of this registry only.")
@click.option("--limit", type=Count(1, 1000), default=20, help="How many, 1 to 1000.")
@click.option("--ascii", "wants_ascii", is_flag=True, help="No blocks, no signs.")
@common_options(results=True)
def command(
    options: Options,
    per: str,
    month: str | None,
    registry: str | None,
    limit: int,
    wants_ascii: bool,
) -> None:
    """Show what each team stored and pulled in a month, and what it costs.

    Stored is what a crawl noted on each day: deduplicated bytes, of which what several
    repositories share is divided among them, so that the parts add up to the whole.
    Pulled is what the registry counts, between the lightest and the heaviest image.
    Both are estimates. Costs need `prices` in the configuration. Only what crawls have
    kept is read; no registry is asked.
    """
    settings = options.settings(policy_files=True)
    policies = options.policies().policies
    screen = options.screen(wants_ascii=wants_ascii)

    from weighbridge.cli.actions.costs import costs
    from weighbridge.domain.traffic.costs import PERS

    (whose,) = (each for each in PERS if each == per)
    emit(
        costs(
            settings,
            policies,
            options.output,
            screen,
            per=whose,
            month=month,
            registry=registry,
            limit=limit,
        )
    )
