"""`weighbridge config check`: is the configuration right?"""

import os

import click

from weighbridge.cli.commands import Group
from weighbridge.cli.options import Options, common_options
from weighbridge.cli.streams import emit
from weighbridge.cli.words import plural


@click.group(
    cls=Group,
    epilog="\b\nExample:\n  weighbridge config check --config weighbridge.yaml",
)
def command() -> None:
    """Look at the configuration."""


@command.command(
    epilog="\b\nExample:\n  weighbridge config check --config weighbridge.yaml"
)
@common_options()
def check(options: Options) -> int:
    """Check the configuration: file, line, key and cause of every fault.

    Exits with 2 if there is any. Secret files are read; no registry is asked.
    """
    settings = options.settings(ending="")

    from weighbridge.config import DEFAULT_FILES, find_config_file

    file = find_config_file(options.config, os.environ)
    if file is None:
        emit(f"there is no {' and no '.join(DEFAULT_FILES)}: the defaults hold")
        return 0
    registries = plural(len(settings.registries), "registry", "registries")
    emit(f"{file}: fine, {registries}")
    return 0
