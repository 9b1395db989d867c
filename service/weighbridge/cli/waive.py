"""`weighbridge waive ...`: violations that are accepted for a while."""

from datetime import UTC, datetime
from typing import Final

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.options.parameters import Count, SuggestingGroup
from weighbridge.cli.process.streams import emit

_CREATE: Final = """\b
Examples:
  weighbridge waive create hub/shop/api --reason "torch goes in 1.6" --until 30d
  weighbridge waive create 'hub/ml/*' --limit max_growth --reason new --until 2026-12-31
  weighbridge waive create hub/ml/base:2 --reason new --until 2026-12-31T18:00:00+01:00
"""
_LIST: Final = "\b\nExamples:\n  weighbridge waive list\n  weighbridge waive list --all"
_REVOKE: Final = "\b\nExample:\n  weighbridge waive revoke 3"


class _Waive(SuggestingGroup):
    """`waive REF` is `waive create REF`: no name of a command has a slash."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if "/" in args[0]:
            args = ["create", *args]
        return super().resolve_command(ctx, args)


@click.group(cls=_Waive, epilog=_CREATE)
def command() -> None:
    """Accept violations for a while, with a reason."""


@command.command(epilog=_CREATE)
@click.argument("ref")
@click.option("--limit", "limit_key", metavar="KEY", help="Of this limit only.")
@click.option("--reason", metavar="TEXT", required=True, help="Why it is accepted.")
@click.option(
    "--until",
    metavar="DATE|TIME|DURATION",
    required=True,
    help="The last day, to its end in UTC (2026-12-31), a moment with its zone "
    "(2026-12-31T18:00:00Z), or how long (30d).",
)
@common_options(results=True, sizes=False)
def create(
    options: Options, ref: str, limit_key: str | None, reason: str, until: str
) -> None:
    """Waive what REF violates: no notification is sent, and no alert counts it.

    REF is registry/repository[:tag]; * stands for any text, slashes included. Without
    a tag every tag is meant, without --limit every limit. `weighbridge waive REF ...`
    is short for this.
    """
    settings = options.settings()

    from weighbridge.cli.actions import waivers

    now = datetime.now(UTC)
    waiver, is_about_known = waivers.create(
        settings, ref, limit_key, reason, until, now
    )
    emit(waivers.created(waiver, options.output, now))
    if not is_about_known:
        click.echo(waivers.about_nothing(waiver), err=True)


@command.command("list", epilog=_LIST)
@click.option("--all", "is_all", is_flag=True, help="Also those that have ended.")
@click.option("--limit", type=Count(1, 1000), default=100, help="How many, 1 to 1000.")
@common_options(results=True, sizes=False)
def list_(options: Options, is_all: bool, limit: int) -> None:
    """List what is waived, the newest first."""
    settings = options.settings()

    from weighbridge.cli.actions import waivers

    screen = options.screen()
    emit(waivers.listed(settings, options.output, screen, is_all=is_all, limit=limit))


@command.command(epilog=_REVOKE)
@click.argument("number", metavar="ID", type=Count(1, 2**63 - 1))
@common_options()
def revoke(options: Options, number: int) -> None:
    """End a waiver: what it covered is counted again."""
    settings = options.settings()

    from weighbridge.cli.actions import waivers

    emit(waivers.revoked(settings, number))
