"""What happens where nobody takes what is printed: a closed pipe, a full disk."""

import errno
import io
import os
import sys
from contextlib import suppress
from typing import Final, TextIO

from weighbridge.cli.process.failure import CommandFailed, failure_text
from weighbridge.errors import WeighbridgeError
from weighbridge.presentation.forms.runner_commands import defused

_UNWRITABLE: Final = frozenset(
    {errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC, errno.EPIPE}
)

_STDOUT: Final = 1


class OutputFailed(Exception):
    """stdout did not take the result. Its cause is the OSError."""


class Aside(io.TextIOWrapper):
    """stderr: what is said beside the work. Where nobody takes it, the work goes on;
    a disk that has room again gets the lines from then on."""

    def write(self, text: str) -> int:
        try:
            return super().write(defused(text))
        except OSError:
            return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def take_over() -> None:
    """Make `sys.stdout` and `sys.stderr` what the rest counts on; called once, before
    anything else is opened.

    Of a process that was started without one of them, the next file that is opened
    gets its number: the database, and then whatever is printed by number goes into
    it. Writing to a stdout that was closed fails as where its reader has gone.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            _open_for_nobody(number)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays open
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal's encoding lacks is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.stderr = Aside(
        open(2, "wb", closefd=False),  # noqa: SIM115 - it stays open
        encoding=getattr(sys.stderr, "encoding", "utf-8"),
        errors="backslashreplace",
        line_buffering=True,
    )


def _open_for_nobody(number: int) -> None:
    """stdout: a pipe whose reader has gone; the others: an empty file."""
    if number == _STDOUT:
        reader, opened = os.pipe()
        os.close(reader)
    else:
        opened = os.open(os.devnull, os.O_RDWR)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)


def emit(text: str) -> None:
    """Print a result to stdout, without a command to whoever reads along. Raises
    OutputFailed."""
    emit_command(defused(text))


def emit_command(text: str) -> None:
    """Print what a runner shall obey. Raises OutputFailed."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError as exc:
        raise OutputFailed from exc


def is_of_output(exc: OSError) -> bool:
    """Whether an error without a file's name can only come from writing."""
    return exc.filename is None and exc.errno in _UNWRITABLE


def give_up(cause: BaseException | None) -> None:
    """Say once that the result is lost, unless whoever read it has simply gone, as
    `head` does; then print nothing more."""
    _discard(sys.stdout)
    if not isinstance(cause, OSError) or cause.errno == errno.EPIPE:
        return
    lost = WeighbridgeError(
        f"the result cannot be written: {cause.strerror}",
        code="cannot_write",
        hint="write it to a place that has room and takes it",
    )
    try:
        sys.stderr.write(f"{failure_text(CommandFailed(lost))}\n")
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)


def _discard(stream: TextIO) -> None:
    """Python flushes both streams once more as it ends, and would complain then."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):
        return  # it is no file, or closed
