"""`weighbridge db ...`: look after the database."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.options.parameters import SuggestingGroup
from weighbridge.cli.process.failure import FOUND
from weighbridge.cli.process.streams import emit

if TYPE_CHECKING:
    # Imported late, as all that a command alone needs.
    from weighbridge.cli.actions.progress import Watch
    from weighbridge.config import Settings

_UPGRADE: Final = """\b
Examples:
  weighbridge db upgrade --plan
  weighbridge db upgrade --database weights.db
"""
_VERIFY: Final = """\b
Examples:
  weighbridge db verify
  weighbridge db verify --database weights.db -o json
"""
_RECOUNT: Final = """\b
Examples:
  weighbridge db recount
  weighbridge db recount harbor
"""
_BACKUP: Final = """\b
Examples:
  weighbridge db backup weights-monday.db
  weighbridge db backup /mnt/backups/weights.db --replace
"""
_RESTORE: Final = """\b
Examples:
  weighbridge db restore weights-monday.db
  weighbridge db restore /mnt/backups/weights.db --replace
"""
_FORGET: Final = """\b
Examples:
  weighbridge db forget old-harbor
  weighbridge db forget harbor/shop/cart --yes
"""


@click.group(cls=SuggestingGroup, epilog="\b\nExample:\n  weighbridge db verify")
def command() -> None:
    """Maintain the database."""


@command.command(epilog=_UPGRADE)
@click.option(
    "--plan", is_flag=True, help="Say what would be done, and change nothing."
)
@common_options(results=True, sizes=False)
def upgrade(options: Options, plan: bool) -> None:
    """Bring the database's schema to this version; nothing is lost.

    Several at once do no harm: one works, the others wait for it. One that fails or is
    killed leaves the database as it was.
    """
    settings = options.settings()

    from weighbridge.bootstrap.databases import upgrade_database
    from weighbridge.cli.actions.database import planned

    said = "" if plan else f"the database has schema {upgrade_database(settings)}"
    if plan or options.output != "table":
        said = planned(settings, options.output, options.screen())
    emit(said)


@command.command(epilog=_VERIFY)
@common_options(results=True, sizes=False)
def verify(options: Options) -> int:
    """Count every total again and compare it with what is kept.

    Nothing is changed, and a service may run beside it. Exits with 1 if anything
    differs, with 0 if all is right.
    """
    settings = options.settings()

    from weighbridge.cli.actions import database
    from weighbridge.cli.actions.progress import watching

    with watching(options.screen(is_error=True), sys.stderr) as watch:
        text, count = database.verified(
            settings, options.output, options.screen(), watch
        )
    emit(text)
    return FOUND if count else 0


@command.command(epilog=_RECOUNT)
@click.argument("registry", required=False)
@common_options(results=True, sizes=False)
def recount(options: Options, registry: str | None) -> None:
    """Count the totals of REGISTRY again and keep what was counted.

    Without REGISTRY those of all registries; then facts that are not whole are
    dropped too, and the next crawl reads them again. Crawls of a registry wait
    while it is recounted.
    """
    settings = options.settings()

    from weighbridge.cli.actions import database
    from weighbridge.cli.actions.progress import watching

    with watching(options.screen(is_error=True), sys.stderr) as watch:
        text = database.recounted(
            settings, registry, options.output, options.screen(), watch
        )
    emit(text)


@command.command(epilog=_BACKUP)
@click.argument("file", metavar="FILE")
@click.option("--replace", is_flag=True, help="Replace FILE where it exists.")
@common_options()
def backup(options: Options, file: str, replace: bool) -> int:
    """Write a copy of the SQLite database into FILE, as it is at this moment.

    Services and crawls may run beside it, and its schema may be an older one. FILE
    is there only once the copy is whole and was read again. For PostgreSQL, the
    command to use is printed, with exit code 2.
    """
    from weighbridge.cli.actions.backups import backed_up

    return _copied(
        options, file, replace, backed_up, "there is no backup of this moment"
    )


@command.command(epilog=_RESTORE)
@click.argument("file", metavar="FILE")
@click.option(
    "--replace", is_flag=True, help="Where there is a database; it is kept beside."
)
@common_options()
def restore(options: Options, file: str, replace: bool) -> int:
    """Put the backup FILE in the place of the SQLite database, which nothing may use.

    The database before is kept beside it under another name. What came after the
    backup is lost where no registry has it; the next crawl reads the rest again. An
    older schema is upgraded by the next start. For PostgreSQL, the command to use is
    printed, with exit code 2.
    """
    from weighbridge.cli.actions.backups import restored

    return _copied(options, file, replace, restored, "nothing was restored")


def _copied(
    options: Options,
    file: str,
    replace: bool,
    copy: "Callable[[Settings, str, bool, Watch], str]",
    stopped: str,
) -> int:
    settings = options.settings()

    from weighbridge.cli.actions.progress import watching
    from weighbridge.cli.process.stopping import stopped_by_sigterm

    with stopped_by_sigterm() as stops:
        try:
            with watching(options.screen(is_error=True), sys.stderr) as watch:
                text = copy(settings, file, replace, watch)
        except KeyboardInterrupt:
            click.echo(f"stopped; {stopped}", err=True)
            return stops.code
    emit(text)
    return 0


@command.command(epilog=_FORGET)
@click.argument("name", metavar="REGISTRY[/REPOSITORY]")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common_options()
def forget(options: Options, name: str, yes: bool) -> None:
    """Remove what is known of a registry, or of one repository, with its history.

    Nothing is deleted in the registry itself. What is configured is read again by
    the next crawl. Exits with 3 while a crawl works there.
    """
    settings = options.settings()

    from weighbridge.cli.actions import database
    from weighbridge.cli.actions.progress import watching

    if text := database.forgotten(
        settings,
        name,
        lambda question: yes or _is_meant(question),
        lambda: watching(options.screen(is_error=True), sys.stderr),
    ):
        emit(text)
    else:
        click.echo("nothing was forgotten", err=True)


def _is_meant(question: str) -> bool:
    """Asks on the terminal. Raises UsageError(not_confirmed) where there is none."""
    if not sys.stdin.isatty():
        from weighbridge.errors import UsageError

        raise UsageError(
            "there is no terminal to ask whether this is meant",
            code="not_confirmed",
            hint="--yes",
        )
    return click.confirm(question, default=False, err=True)
