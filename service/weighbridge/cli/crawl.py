"""`weighbridge crawl [TARGET...]`: crawls registries, now."""

import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.process.failure import NOT_WEIGHED
from weighbridge.cli.process.streams import emit

_EXAMPLES = """\b
Examples:
  weighbridge crawl
  weighbridge crawl harbor/shop/cart
  weighbridge crawl 127.0.0.1:5000 --database sqlite:///weights.db -o json
"""


@click.command(epilog=_EXAMPLES)
@click.argument("targets", metavar="[TARGET...]", nargs=-1)
@click.option(
    "--no-measure", is_flag=True, help="Leave uncompressed sizes for a later crawl."
)
@common_options(results=True, access=True)
def command(options: Options, targets: tuple[str, ...], no_measure: bool) -> int:
    """Crawl every repository once and store the result.

    TARGET is a configured name, name/repository, or the address of a registry;
    without one all configured registries are crawled. Exits with 3 if any target
    failed; the results of the others are stored.
    """
    access = options.access.read()
    settings = options.settings(policy_files=True)
    policies = options.policies()

    from weighbridge import process_memory
    from weighbridge.bootstrap.engine.assembly import crawl
    from weighbridge.cli.actions import crawl_output
    from weighbridge.cli.actions.progress import shown, stopped_text
    from weighbridge.cli.process.log_lines import configure_log
    from weighbridge.cli.process.stopping import stopped_by_sigterm
    from weighbridge.engine.context.crawl_context import Progress
    from weighbridge.engine.judge.judged_batch import Judges, tell_ends

    configure_log(settings)
    process_memory.keep_loaded()
    progress = Progress()
    with stopped_by_sigterm() as stops:
        try:
            with shown(progress, options.screen(is_error=True), sys.stderr):
                report = crawl(
                    settings,
                    targets,
                    measure=not no_measure,
                    progress=progress,
                    access=access,
                    docker_config=options.docker_config(),
                    judges=Judges(lambda: policies.policies, tell_ends, is_silent=True),
                )
        except KeyboardInterrupt:
            click.echo(stopped_text(progress, again(options, targets)), err=True)
            return stops.code
    for warning in crawl_output.warnings_of(report):
        click.echo(f"warning: {warning}", err=True)
    now = datetime.now(UTC)
    emit(crawl_output.printed(report, options.output, options.screen(), now))
    return NOT_WEIGHED if report.has_failed else 0


def again(options: Options, targets: Sequence[str]) -> str:
    """The command that goes on where this one was stopped. A database's URL that
    may hold a password, also as a parameter, is left for the person to add."""
    words = ["weighbridge", "crawl", *targets, *options.access.words()]
    if options.config is not None:
        words += ["--config", options.config]
    if options.database is not None and not set("@?") & set(options.database):
        words += ["--database", options.database]
    return shlex.join(words)
