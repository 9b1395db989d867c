"""`weighbridge compare REF REF`: two images side by side."""

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.options.parameters import TIMEOUT, TIMEOUT_HELP
from weighbridge.cli.process.failure import CommandFailed, advice
from weighbridge.cli.process.streams import emit
from weighbridge.errors import UsageError, WeighbridgeError

_EXAMPLES = """\b
Examples:
  weighbridge compare python:3.7 python:3.7-slim
  weighbridge compare harbor/shop/api:1.4.2 :1.5.0 --platform linux/arm64
  weighbridge compare ghcr.io/acme/app:1.4 ghcr.io/acme/app:1.5 -o markdown
"""


@click.command(epilog=_EXAMPLES)
@click.argument("reference", metavar="REF")
@click.argument("other", metavar="REF")
@click.option("--platform", metavar="OS/ARCH", help="Compare this platform's images.")
@click.option("--fresh", "is_fresh", is_flag=True, help="Ask the registries again.")
@click.option("--changed", "only_changed", is_flag=True, help="Only lines that differ.")
@click.option("--timeout", "timeout_s", type=TIMEOUT, default="5m", help=TIMEOUT_HELP)
@click.option("--all", "wants_all", is_flag=True, help="Show metadata lines too.")
@click.option("--ascii", "wants_ascii", is_flag=True, help="No blocks, no signs.")
@common_options(results=True, access=True)
def command(
    options: Options,
    reference: str,
    other: str,
    platform: str | None,
    is_fresh: bool,
    only_changed: bool,
    timeout_s: int,
    wants_all: bool,
    wants_ascii: bool,
) -> None:
    """Show two images side by side.

    What both have, what only one has, their lines with what each adds, and what
    pulling the second moves where the first is present. Every platform that both have
    is compared. The second REF may be :tag or @digest of the first one's repository.

    Images that were crawled are read from the database; all others, and with --fresh
    every one, are read from their registries as `inspect` does.
    """
    if is_fresh and options.database is not None:
        raise UsageError("--fresh and --database exclude each other")
    access = options.access.read()
    settings = options.settings()
    screen = options.screen(wants_ascii=wants_ascii)

    from weighbridge.bootstrap.one_image.image_check import NotWeighed
    from weighbridge.bootstrap.one_image.image_comparison import (
        CompareRequest,
        compare,
    )
    from weighbridge.cli.actions.compare import printed, told
    from weighbridge.domain.image.reference import without_login

    try:
        found = compare(
            settings,
            CompareRequest(
                reference,
                other,
                platform=platform,
                is_fresh=is_fresh,
                must_read_database=options.database is not None,
                timeout_s=timeout_s,
                access=access,
                docker_config=options.docker_config(),
            ),
        )
    except UsageError:
        raise
    except NotWeighed as exc:
        exc.cause.hint = exc.cause.hint or advice(exc.cause.code)
        raise CommandFailed(exc.cause, subject=f"cannot weigh {exc.text}") from exc
    except WeighbridgeError as exc:
        subject = f"cannot compare {without_login(reference)}"
        raise CommandFailed(exc, subject=subject) from exc
    for warning in told(found):
        click.echo(f"warning: {warning}", err=True)
    text = printed(
        found, options.output, screen, wants_all=wants_all, only_changed=only_changed
    )
    emit(text)
