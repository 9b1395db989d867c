"""`weighbridge top`: the heaviest repositories of what was crawled."""

import click

from weighbridge.cli.commands import Count
from weighbridge.cli.options import Options, common_options
from weighbridge.cli.streams import emit

_EXAMPLES = """\b
Examples:
  weighbridge top
  weighbridge top --limit 5 --registry harbor -o markdown
  weighbridge top --by tags
"""


@click.command(epilog=_EXAMPLES)
@click.option("--limit", type=Count(1, 1000), default=20, help="How many, 1 to 1000.")
@click.option(
    "--by",
    type=click.Choice(["compressed", "uncompressed", "tags", "images", "name"]),
    default="compressed",
    help="What is compared; sizes are of the newest image.",
)
@click.option("--registry", metavar="NAME", help="Of this registry only.")
@click.option("--ascii", "wants_ascii", is_flag=True, help="No blocks, no signs.")
@common_options(results=True)
def command(
    options: Options, limit: int, by: str, registry: str | None, wants_ascii: bool
) -> int:
    """Show the heaviest repositories.

    Compared is what a pull of each one's newest image moves. Only what a crawl has
    kept is read; no registry is asked.
    """
    settings = options.settings()
    screen = options.screen(wants_ascii=wants_ascii)

    from weighbridge.bootstrap.reading import top
    from weighbridge.cli import top_output, top_table

    order = "asc" if by == "name" else "desc"
    found = top(settings, by=by, order=order, limit=limit, registry=registry)
    if options.output == "json":
        emit(top_output.top_json(found.rows))
    elif options.output == "csv":
        emit(top_output.top_csv(found.rows))
    elif options.output == "markdown":
        emit(top_output.top_markdown(found.rows, screen))
    else:
        emit(top_table.render_top(found.rows, screen, found.registries, by=by))
    return 0
