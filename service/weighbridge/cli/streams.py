"""What happens where nobody takes what is printed: a closed pipe, a full disk."""

import errno
import os
import sys
from typing import Final, TextIO

_UNWRITABLE: Final = frozenset(
    {errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC, errno.EPIPE}
)


class OutputFailed(Exception):
    """stdout did not take the result. Its cause is the OSError."""


def emit(text: str) -> None:
    """Print a result to stdout. Raises OutputFailed."""
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
    try:
        sys.stderr.write(f"the result cannot be written: {cause.strerror}\n")
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)


def _discard(stream: TextIO) -> None:
    """Python flushes both streams once more as it ends, and would complain then."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):
        return  # it is no file, or closed
