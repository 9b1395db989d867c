"""The options that commands share, as one value; each takes those that it obeys. What
is said of registries by their addresses is a value of its own.
"""

import getpass
import os
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, Final, Literal, ParamSpec, TypeAlias

import click
from msgspec import Struct

from weighbridge.cli.process.failure import CommandFailed
from weighbridge.errors import ConfigError, UsageError
from weighbridge.presentation.forms.screen import Output, Screen, screen_of

if TYPE_CHECKING:
    from weighbridge.bootstrap.registries.targets import AddressAccess
    from weighbridge.config import PolicySource, Settings
    from weighbridge.config.effective import Tree
    from weighbridge.domain.text.printable import Secret

Command: TypeAlias = Callable[..., int | None]
"""What a command exits with; None: 0."""

_CHARACTERS: Final = 64 * 1024
_HOW: Final = "give it by --password-stdin, --password-file FILE, or `docker login`"


class AccessOptions(Struct, frozen=True):
    """What was said of addresses that are not configured.

    plain_http: None where neither --plain-http nor --https was said
    """

    plain_http: bool | None = None
    ca_file: str | None = None
    user: str | None = None
    password_file: str | None = None
    password_stdin: bool = False

    def read(self) -> "AddressAccess":
        """With the password read. Raises UsageError, ConfigError(secret_file)."""
        from weighbridge.bootstrap.registries.targets import AddressAccess

        self._refuse_nonsense()
        return AddressAccess(self.plain_http, self.ca_file, self.user, self._password())

    def words(self) -> list[str]:
        """The options again, as they would be written; no password is among them."""
        scheme = {None: "", True: "--plain-http", False: "--https"}[self.plain_http]
        words = [scheme, "--password-stdin" if self.password_stdin else ""]
        for option, value in (
            ("--ca-file", self.ca_file),
            ("--user", self.user),
            ("--password-file", self.password_file),
        ):
            words += [] if value is None else [option, value]
        return [word for word in words if word]

    def _refuse_nonsense(self) -> None:
        has_password = self.password_file is not None or self.password_stdin
        if self.user is not None and ":" in self.user:
            # What follows the colon is most likely a password: it is not shown.
            raise UsageError(
                "--user takes a name alone: others on this machine can read what is "
                "written on a command line",
                hint=_HOW,
            )
        if self.user is not None and not self.user:
            raise UsageError("--user is empty", hint="--user NAME")
        if has_password and self.user is None:
            raise UsageError("a password is given, and no user", hint="--user NAME")
        if self.password_file is not None and self.password_stdin:
            raise UsageError("--password-file and --password-stdin exclude each other")
        if self.ca_file is not None and self.plain_http:
            raise UsageError("--ca-file and --plain-http exclude each other")
        if self.ca_file is not None and not _is_file(self.ca_file):
            raise UsageError(
                "--ca-file names no regular file that can be read",
                hint="name a file of PEM certificates",
            )

    def _password(self) -> "Secret | None":
        from weighbridge.config.file.regular_file import read_secret_file
        from weighbridge.domain.text.printable import Secret

        if self.password_file is not None:
            return read_secret_file(Path(self.password_file))
        if not self.password_stdin:
            return None
        if sys.stdin.isatty():
            text = getpass.getpass(f"Password of {self.user}: ")
        else:
            text = sys.stdin.read(_CHARACTERS + 1).removesuffix("\n").removesuffix("\r")
        if not text or len(text) > _CHARACTERS or not text.isprintable():
            raise UsageError(
                "what stdin holds is no password: it is empty, too long, or has more "
                "than one line",
                hint="printf '%s' \"$PASSWORD\" | weighbridge ... --password-stdin",
            )
        return Secret(text)


NOTHING_SAID: Final = AccessOptions()


def _is_file(name: str) -> bool:
    try:
        return stat.S_ISREG(Path(name).stat().st_mode)
    except (OSError, ValueError):
        return False


ACCESS: Final[Sequence[Callable[[Command], Command]]] = (
    click.option(
        "--plain-http/--https",
        "plain_http",
        default=None,
        help="The protocol; else http on loopback, https elsewhere.",
    ),
    click.option(
        "--ca-file", metavar="FILE", help="Authorities (PEM) of its certificate."
    ),
    click.option("--user", metavar="NAME", help="The user; else as docker login."),
    click.option(
        "--password-stdin", is_flag=True, help="Read the password from stdin."
    ),
    click.option("--password-file", metavar="FILE", help="Read the password from it."),
)


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

    def handed_over(
        self, settings: "Settings", environ: Mapping[str, str]
    ) -> dict[str, str]:
        """The environment in which a process finds the same settings again."""
        handed = dict(environ)
        if self.config is not None:
            handed["WEIGHBRIDGE_CONFIG"] = str(Path(self.config).absolute())
        if self.database is not None:
            handed.pop("WEIGHBRIDGE_DATABASE_URL_FILE", None)
            handed["WEIGHBRIDGE_DATABASE_URL"] = settings.database_url.reveal()
        return handed

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
) -> Callable[[Callable[Concatenate[Options, P], int | None]], Command]:
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

    def with_options(
        function: Callable[Concatenate[Options, P], int | None],
    ) -> Command:
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
        ) -> int | None:
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
