"""`weighbridge db upgrade`: bring the database to this version."""

import click

from weighbridge.cli.commands import Group
from weighbridge.cli.options import Options, common_options
from weighbridge.cli.streams import emit

_EXAMPLE = "\b\nExample:\n  weighbridge db upgrade --database sqlite:///weights.db"


@click.group(cls=Group, epilog=_EXAMPLE)
def command() -> None:
    """Look after the database."""


@command.command(epilog=_EXAMPLE)
@common_options()
def upgrade(options: Options) -> int:
    """Bring the database's schema to this version; nothing is lost."""
    settings = options.settings()

    from weighbridge.bootstrap.databases import upgrade_database

    emit(f"the database is at revision {upgrade_database(settings)}")
    return 0
