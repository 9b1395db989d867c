"""The options that commands share, as one value; each takes those that it obeys."""

import os
import sys
from collections.abc import Callable
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, Final, Literal, ParamSpec, TypeAlias

import click
from msgspec import Struct

from weighbridge.cli.options.access_options import (
    ACCESS,
    NOTHING_SAID,
    AccessOptions,
    Command,
)
from weighbridge.cli.process.failure import CommandFailed
from weighbridge.errors import ConfigError
from weighbridge.presentation.forms.screen import Output, Screen, screen_of

if TYPE_CHECKING:
    from weighbridge.config import PolicySource, Settings
    from weighbridge.config.effective import Tree

P = ParamSpec("P")


class Options(Struct, frozen=True):
    """What was said after any command.

    config:   the configuration file, None to look for it
    database: the database's URL or file, None for the configured one
    access:   how an address that is not configured is reached
    """

    config: str | None = None
    database: str | None = None
    output: Output = "table"
    units: Literal["si", "iec"] = "si"
    access: AccessOptions = NOTHING_SAID

    def settings(
        self,
        *,
        bind: str | None = None,
        policy_files: bool = False,
        ending: str = ", nothing was started",
    ) -> "Settings":
        """The checked settings. Raises CommandFailed with every fault.

        policy_files: whether files of policies are checked too: there may be hundreds
        ending:       what follows the number of faults
        """
        from weighbridge.bootstrap.kinds import KINDS
        from weighbridge.config import load_settings

        try:
            return load_settings(
                self.config,
                os.environ,
                KINDS,
                database_url=self.database,
                bind=bind,
                policy_files=policy_files,
            )
        except ConfigError as exc:
            raise _failed(exc, ending) from exc

    def policies(self) -> "PolicySource":
        """The policies of the same file. Raises CommandFailed with every fault."""
        from weighbridge.config import load_policies

        try:
            return load_policies(self.config, os.environ)
        except ConfigError as exc:
            raise _failed(exc, "") from exc

    def effective_settings(self) -> "Tree":
        """What holds, with where it is from. Raises CommandFailed with every fault."""
        from weighbridge.bootstrap.kinds import KINDS
        from weighbridge.config.effective import effective_settings

        try:
            return effective_settings(
                self.config, os.environ, KINDS, database_url=self.database
            )
        except ConfigError as exc:
            raise _failed(exc, "") from exc

    def docker_config(self) -> Path | None:
        """Where `docker login` keeps credentials, for what is not configured."""
        from weighbridge.registry.login.docker_config import docker_config_path

        home = os.environ.get("HOME")
        return docker_config_path(os.environ, Path(home)) if home else None

    def screen(self, *, wants_ascii: bool = False, is_error: bool = False) -> Screen:
        """How text looks on stdout (or stderr)."""
        return screen_of(
            sys.stderr if is_error else sys.stdout,
            os.environ,
            wants_ascii=wants_ascii,
            iec=self.units == "iec",
        )


def _failed(error: ConfigError, ending: str) -> CommandFailed:
    faults = "1 error" if error.faults == 1 else f"{error.faults:,} errors"
    return CommandFailed(error, ending=f"{faults}{ending}")


_Option: TypeAlias = Callable[[Command], Command]

_CONFIG: Final[_Option] = click.option(
    "--config", metavar="FILE", help="The configuration file.", show_default=False
)
_DATABASE: Final[_Option] = click.option(
    "--database", metavar="URL|FILE", help="Where results are kept."
)


def _output(*, github: bool) -> _Option:
    forms = ["table", "json", "csv", "markdown"]
    return click.option(
        "-o",
        "--output",
        type=click.Choice([*forms, "github"] if github else forms),
        default="table",
        help="How results are printed.",
    )


_UNITS: Final[_Option] = click.option(
    "--units",
    type=click.Choice(["si", "iec"]),
    default="si",
    help="MB (10^6 bytes) or MiB (2^20 bytes).",
)
_DEBUG: Final[_Option] = click.option("--debug", is_flag=True, help="Show tracebacks.")


def common_options(
    *,
    database: bool = True,
    results: bool = False,
    sizes: bool = True,
    github: bool = False,
    access: bool = False,
) -> Callable[[Callable[Concatenate[Options, P], int]], Command]:
    """Give a command `--config`, `--debug` and what else it obeys, as its first
    argument.

    database: it opens the database, or checks where it is
    results:  it prints results, in several forms
    sizes:    sizes are among these
    github:   one of the forms is for a workflow's log
    access:   it asks registries by their addresses
    """
    options = [*ACCESS] if access else []
    options += [_CONFIG]
    options += [_DATABASE] if database else []
    options += [_output(github=github)] if results else []
    options += [_UNITS] if results and sizes else []
    options += [_DEBUG]

    def with_options(function: Callable[Concatenate[Options, P], int]) -> Command:
        def command(
            config: str | None,
            debug: bool,
            database: str | None = None,
            output: Output = "table",
            units: Literal["si", "iec"] = "si",
            plain_http: bool | None = None,
            ca_file: str | None = None,
            user: str | None = None,
            password_stdin: bool = False,
            password_file: str | None = None,
            *args: P.args,
            **kwargs: P.kwargs,
        ) -> int:
            # `debug` is read in `cli.main`, where errors arrive.
            asked_by = AccessOptions(
                plain_http, ca_file, user, password_file, password_stdin
            )
            said = Options(config, database, output, units, asked_by)
            return function(said, *args, **kwargs)

        wrapped: Command = update_wrapper(command, function)
        for option in reversed(options):
            wrapped = option(wrapped)
        return wrapped

    return with_options
