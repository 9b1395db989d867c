"""`weighbridge reclaim REPO`: what deleting tags would free."""

from typing import Final

import click
from msgspec.structs import replace

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.options.parameters import Count, TagsKept
from weighbridge.cli.process.streams import emit

_EXAMPLES: Final = """\b
Examples:
  weighbridge reclaim harbor/shop/api
  weighbridge reclaim hub/library/python --tag 3.6 --tag 3.6.4
  weighbridge reclaim harbor/shop/api --keep-newest 3 --keep-days 30 --keep 'v*'
  weighbridge reclaim harbor/shop/api --commands
"""


@click.command(epilog=_EXAMPLES)
@click.argument("repository", metavar="REPO")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="A tag to go.")
@click.option(
    "--keep-newest", type=Count(1, 100_000), metavar="N", help="Keep so many images."
)
@click.option(
    "--keep-days", type=Count(1, 3_660), metavar="N", help="Keep what is younger."
)
@click.option(
    "--keep-pulled-days", type=Count(1, 3_660), metavar="N", help="Keep what is pulled."
)
@click.option(
    "--keep",
    "patterns",
    type=TagsKept(),
    multiple=True,
    metavar="PATTERN",
    help="Keep tags, * is any.",
)
@click.option(
    "--commands", "wants_commands", is_flag=True, help="Print how to delete them."
)
@common_options(results=True)
def command(
    options: Options,
    repository: str,
    tags: tuple[str, ...],
    keep_newest: int | None,
    keep_days: int | None,
    keep_pulled_days: int | None,
    patterns: tuple[str, ...],
    wants_commands: bool,
) -> None:
    """Show what deleting tags of a repository would free.

    Which manifests nothing leads to any more, which blobs nothing else in the registry
    refers to, and the bytes that its garbage collection frees: of the tags that are
    named, or of those that `reclaim` in the configuration does not keep. One --keep
    option replaces all rules of the configuration. Nothing is deleted, ever; --commands
    prints how the registry would be asked to. Only the database is read.
    """
    settings = options.settings()
    screen = options.screen()
    numbers = (keep_newest, keep_days, keep_pulled_days)
    says_rules = any(number is not None for number in numbers) or bool(patterns)
    if tags and says_rules:
        raise click.UsageError("--tag takes no rule: what is named would go")
    if wants_commands and options.output != "table":
        raise click.UsageError("--commands are lines for a shell: leave out --output")

    from weighbridge.cli.actions import reclaim

    rules = settings.reclaim.rules
    if says_rules:
        rules = replace(
            rules,
            newest=keep_newest,
            days=keep_days,
            pulled_days=keep_pulled_days,
            patterns=tuple(patterns),
        )
    found = reclaim.reclaim(settings, repository, tags, rules)
    if wants_commands:
        emit(reclaim.commands(found))
        return
    emit(reclaim.printed(found, options.output, screen))
