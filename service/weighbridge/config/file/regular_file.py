"""Finds and opens the files that a person names: nothing but regular files, and never
waiting."""

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

NOT_REGULAR: Final = "is not a regular file"


def open_regular(path: str | Path) -> BinaryIO:
    """The file, opened for reading; symbolic links are followed.

    A pipe without a writer would never answer, a device never end, and some devices do
    something when they are opened: they are refused before that. Raises OSError, whose
    `strerror` says why, and ValueError for a path with a NUL.
    """
    _refuse_irregular(os.stat(path), path)
    # Should it have become a pipe since, O_NONBLOCK opens it without waiting.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    try:
        _refuse_irregular(os.fstat(descriptor), path)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: str | Path, most: int) -> bytes:
    """Its content, as far as `most` bytes and one more, which says that it is larger.
    Raises as `open_regular`."""
    with open_regular(path) as file:
        return file.read(most + 1)


def why_unreadable(error: OSError | ValueError) -> str:
    """What a message says of a file that these two raised for."""
    why = getattr(error, "strerror", None) or "no such path"
    return why if why == NOT_REGULAR else f"cannot be read: {why}"


def _refuse_irregular(found: os.stat_result, path: str | Path) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, NOT_REGULAR, str(path))


DEFAULT_FILES: Final = ("weighbridge.yaml", "/etc/weighbridge/weighbridge.yaml")


def find_config_file(path: str | None, environ: Mapping[str, str]) -> str | None:
    """The file to read: `--config`, WEIGHBRIDGE_CONFIG, or the first of the usual
    ones that is there. None for no file."""
    wanted = path or environ.get("WEIGHBRIDGE_CONFIG")
    if wanted:
        return wanted
    return next((name for name in DEFAULT_FILES if Path(name).exists()), None)
