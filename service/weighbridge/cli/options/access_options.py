"""Options of commands that ask a registry by its address, as one value."""

import getpass
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import click
from msgspec import Struct

from weighbridge.errors import UsageError

if TYPE_CHECKING:
    from weighbridge.bootstrap.registries.unconfigured import AddressAccess
    from weighbridge.domain.text.secret import Secret

Command: TypeAlias = Callable[..., int]

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
        from weighbridge.bootstrap.registries.unconfigured import AddressAccess

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
        from weighbridge.domain.text.secret import Secret

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
