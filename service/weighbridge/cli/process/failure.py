"""Errors as a person reads them: the cause, then what to try. On stderr."""

import sys
import traceback
from typing import Final

import click

from weighbridge.errors import StoreError, UsageError, WeighbridgeError

FOUND: Final = 1
USAGE: Final = 2
NOT_WEIGHED: Final = 3

# `exit 2`: nothing is tried with a database of another version, or with what is no
# database's URL.
_WRONG_SETUP: Final = frozenset({"invalid_database_url", "schema_version"})


class CommandFailed(Exception):
    """An error of one command with what only the command knows.

    subject: what could not be done, `cannot weigh X`; stands before the message
    ending:  a line below all others
    """

    def __init__(
        self, cause: WeighbridgeError, *, subject: str = "", ending: str = ""
    ) -> None:
        super().__init__(subject)
        self.cause = cause
        self.subject = subject
        self.ending = ending


def report(error: Exception, *, is_debug: bool = False) -> int:
    """Tell the error on stderr. Returns the exit code for it."""
    if is_debug:
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, WeighbridgeError):
        error = CommandFailed(error)
    if isinstance(error, CommandFailed):
        click.echo(failure_text(error), err=True)
        return exit_code(error.cause)
    if not is_debug:
        click.echo(unexpected_text(error), err=True)
    return NOT_WEIGHED


def exit_code(error: WeighbridgeError) -> int:
    """2 for what was asked wrongly, 3 for what could not be done."""
    is_wrong = isinstance(error, UsageError) or (
        isinstance(error, StoreError) and error.code in _WRONG_SETUP
    )
    return USAGE if is_wrong else NOT_WEIGHED


def failure_text(failed: CommandFailed) -> str:
    """The message and its code (docs/troubleshooting.md), a line a hint below it.

    A hint may begin with a word of its own and two spaces (`nearest  3.7, 3.8`);
    others are introduced by `try`, which some of them say themselves.
    """
    from weighbridge.domain.text.printable import printable

    error = failed.cause
    lines = [printable(line) for line in error.message.splitlines()] or [error.code]
    if len(lines) == 1:
        # Several lines are faults of a file, which name their own places.
        lines[0] += f" [{error.code}]"
    if failed.subject:
        lines[0] = f"{printable(failed.subject)}: {lines[0]}"
    for hint in error.hint.splitlines():
        shown = printable(hint).removeprefix("try ")
        lines.append(f"  {shown}" if "  " in shown else f"  try    {shown}")
    if failed.ending:
        lines.append(failed.ending)
    return "\n".join(lines)


def unexpected_text(error: Exception) -> str:
    """One line for a fault of ours. The error's own text may hold a secret, so it
    is shown with `--debug` only."""
    return (
        f"weighbridge has a fault ({type(error).__name__}): run it again with "
        "--debug and report what it prints"
    )


_ADVICE: Final = {
    "address_refused": "name another address; for a private one, set address_class",
    "auth_error": "give `auth` for this registry in weighbridge.yaml",
    "connect_error": "check its address and port, and that it runs",
    "connection_reset": "again later",
    "deadline": "again later, or set `limits` for it lower",
    "denied": "check what this user may read",
    "dns_error": "check the name of the registry",
    "name_unknown": "check the spelling of the repository",
    "no_password": "--password-stdin, --password-file FILE, or `docker login`",
    "not_a_registry": "check its address; a proxy or a sign-in page may be before it",
    "not_found": "check that this is the address of a registry",
    "rate_limited": "again later, or set `limits` for it lower",
    "realm_refused": "name the token server in trusted_realm_hosts if it is right",
    "tls_error": "ca_file for an authority of your own; http:// if it has no TLS",
    "unauthorized": "give `auth` for it, run `docker login`, or --user NAME",
}


def advice(code: str) -> str:
    """What to try, "" where nothing is known to help."""
    return _ADVICE.get(code, "")
