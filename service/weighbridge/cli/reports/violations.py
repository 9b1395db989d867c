"""`weighbridge violations`: what exceeds its limit."""

from datetime import UTC, datetime
from typing import Final

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.options.parameters import Count
from weighbridge.cli.process.streams import emit

_EXAMPLES: Final = """\b
Examples:
  weighbridge violations
  weighbridge violations --team shop --severity critical
  weighbridge violations --all -o csv
  weighbridge violations --disputed
  weighbridge violations --all-tags --registry hub
"""
_SEVERITIES: Final = ("critical", "warning", "info")


@click.command(epilog=_EXAMPLES)
@click.option("--team", metavar="TEAM", help="Of this team only.")
@click.option("--registry", metavar="NAME", help="Of this registry only.")
@click.option(
    "--severity", type=click.Choice(_SEVERITIES), help="Of this severity only."
)
@click.option("--all", "is_all", is_flag=True, help="Also those that have ended.")
@click.option(
    "--disputed",
    is_flag=True,
    help="Sizes that a manifest claims and the registry contradicts.",
)
@click.option(
    "--all-tags",
    is_flag=True,
    help="Also older tags over their limit.",
)
@click.option("--limit", type=Count(1, 1000), default=100, help="How many, 1 to 1000.")
@common_options(results=True)
def command(
    options: Options,
    team: str | None,
    registry: str | None,
    severity: str | None,
    is_all: bool,
    disputed: bool,
    all_tags: bool,
    limit: int,
) -> None:
    """Show what exceeds its limit, newest first.

    A violation is of the newest image of its stream of tags, with the line that did
    most of it. Older tags over their limit are listed by --all-tags; no notification
    is sent for these. What is waived is listed with its reason. Only the database
    is read.
    """
    settings = options.settings()
    screen = options.screen()
    is_of_policies = team is not None or severity is not None or is_all or all_tags
    if disputed and is_of_policies:
        raise click.UsageError(
            "--disputed takes none of --team, --severity, --all and --all-tags: "
            "a size that is contradicted is of no policy"
        )

    from weighbridge.cli.actions import violations
    from weighbridge.store.reports.disputes import DisputeQuery
    from weighbridge.store.reports.violations import ViolationQuery

    if disputed:
        page = violations.disputes(settings, DisputeQuery(registry, limit=limit))
        emit(violations.disputes_printed(page, options.output, screen))
        return
    now = datetime.now(UTC)
    query = ViolationQuery(
        registry=registry,
        team=team,
        severity=severity,
        state="all" if is_all else "open",
        all_tags=all_tags,
        limit=limit,
    )
    found = violations.violations(settings, query, now)
    emit(violations.printed(found, options.output, screen, now))
