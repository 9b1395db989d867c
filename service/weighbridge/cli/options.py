"""The options that every command takes, as one value."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, Final, Literal, ParamSpec, TypeAlias

import click

from weighbridge.cli.failure import CommandFailed
from weighbridge.cli.screen import Screen, screen_of
from weighbridge.errors import ConfigError

if TYPE_CHECKING:
    from weighbridge.config import Settings

Output: TypeAlias = Literal["table", "json", "csv", "markdown"]

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Options:
    """What was said after any command.

    config:   the configuration file, None to look for it
    database: the database's URL, None for the configured one
    """

    config: str | None = None
    database: str | None = None
    output: Output = "table"
    units: Literal["si", "iec"] = "si"

    def settings(self, bind: str | None = None) -> "Settings":
        """The checked settings. Raises CommandFailed with every fault."""
        from weighbridge.config import load_settings

        try:
            return load_settings(
                self.config, os.environ, database_url=self.database, bind=bind
            )
        except ConfigError as exc:
            count = len(exc.message.splitlines())
            faults = "1 error" if count == 1 else f"{count} errors"
            raise CommandFailed(exc, ending=f"{faults}, nothing was started") from exc

    def docker_config(self) -> Path | None:
        """Where `docker login` keeps credentials, for what is not configured."""
        from weighbridge.registry.docker_config import docker_config_path

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


_OPTIONS: Final[tuple[Callable[[Callable[..., int]], Callable[..., int]], ...]] = (
    click.option(
        "--config", metavar="FILE", help="The configuration file.", show_default=False
    ),
    click.option("--database", metavar="URL", help="Where results are kept."),
    click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "csv", "markdown"]),
        default="table",
        help="How results are printed.",
    ),
    click.option(
        "--units",
        type=click.Choice(["si", "iec"]),
        default="si",
        help="MB (10^6 bytes) or MiB (2^20 bytes).",
    ),
    click.option("--debug", is_flag=True, help="Show tracebacks."),
)


def common_options(
    function: Callable[Concatenate[Options, P], int],
) -> Callable[..., int]:
    """Give a command the options of every command, as its first argument."""

    def command(
        config: str | None,
        database: str | None,
        output: Output,
        units: Literal["si", "iec"],
        debug: bool,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> int:
        # `debug` is read in `cli.main`, where errors arrive.
        options = Options(config, database, output, units)
        return function(options, *args, **kwargs)

    wrapped: Callable[..., int] = update_wrapper(command, function)
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
