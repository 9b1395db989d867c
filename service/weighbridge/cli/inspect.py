"""`weighbridge inspect REF`: weigh one image straight from its registry."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.options.parameters import TIMEOUT, TIMEOUT_HELP
from weighbridge.cli.process.failure import NOT_WEIGHED, CommandFailed, advice
from weighbridge.cli.process.streams import emit
from weighbridge.errors import UsageError, WeighbridgeError

if TYPE_CHECKING:  # It is slow to import.
    from weighbridge.config import Settings

_EXAMPLES = """\b
Examples:
  weighbridge inspect python:3.7-slim
  weighbridge inspect ghcr.io/acme/app:1.4 --platform linux/arm64
  weighbridge inspect 127.0.0.1:5000/shop/cart -o json
"""


@click.command(epilog=_EXAMPLES)
@click.argument("reference", metavar="REF")
@click.option("--platform", metavar="OS/ARCH", help="Weigh this platform's image.")
@click.option("--all-platforms", is_flag=True, help="Weigh every platform's image.")
@click.option("--timeout", "timeout_s", type=TIMEOUT, default="5m", help=TIMEOUT_HELP)
@click.option("--all", "wants_all", is_flag=True, help="Show metadata lines too.")
@click.option("--ascii", "wants_ascii", is_flag=True, help="No blocks, no signs.")
@common_options(database=False, results=True, access=True)
def command(
    options: Options,
    reference: str,
    platform: str | None,
    all_platforms: bool,
    timeout_s: int,
    wants_all: bool,
    wants_ascii: bool,
) -> int:
    """Weigh one image straight from its registry.

    REF is [registry/]repository[:tag|@digest]; a registry may be a configured name.
    Only manifests, the config and a few bytes of each layer are read. What it stands
    on, and what slimmer variants of that would save, is looked up in the configured
    database, where there is one.
    """
    if platform and all_platforms:
        raise UsageError("--platform and --all-platforms exclude each other")
    access = options.access.read()
    settings = options.settings()
    screen = options.screen(wants_ascii=wants_ascii)

    from weighbridge.bootstrap.one_image.weigh_image import inspect
    from weighbridge.presentation.image import weighing_table

    try:
        weighing = inspect(
            settings,
            reference,
            platform=platform,
            all_platforms=all_platforms,
            access=access,
            docker_config=options.docker_config(),
            timeout_s=timeout_s,
        )
    except UsageError:
        raise
    except WeighbridgeError as exc:
        exc.hint = exc.hint or advice(exc.code)
        raise CommandFailed(exc, subject=f"cannot weigh {reference}") from exc
    lighter = None
    if _may_have_database(settings):
        from weighbridge.bootstrap.one_image.image_bases import on_known_bases

        weighing, lighter = on_known_bases(settings, weighing)
    for warning in weighing_table.warnings_of(weighing):
        click.echo(f"warning: {warning}", err=True)
    if options.output == "json":
        emit(weighing_table.inspect_json(weighing, lighter))
    elif options.output == "csv":
        emit(weighing_table.inspect_csv(weighing))
    elif options.output == "markdown":
        emit(
            weighing_table.inspect_markdown(
                weighing, screen, wants_all=wants_all, lighter=lighter
            )
        )
    else:
        emit(
            weighing_table.render_inspect(
                weighing, screen, wants_all=wants_all, lighter=lighter
            )
        )
    return 0 if weighing.images or weighing.kind == "artifact" else NOT_WEIGHED


def _may_have_database(settings: "Settings") -> bool:
    """Whether there may be a database to look into: to load what opens one takes as
    long as all else."""
    kind, _, path = settings.database_url.reveal().partition("?")[0].partition(":///")
    return not kind.startswith("sqlite") or Path(path).is_file()
