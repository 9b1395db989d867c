"""Finds and opens the files that a person names: nothing but regular files, and never
waiting. One that a `_file` key or a `_FILE` variable names holds a secret."""

import errno
import os
import stat
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from msgspec import Struct

from weighbridge.domain.text.printable import Secret
from weighbridge.errors import ConfigError

_BYTES: Final = 64 * 1024
_BYTE_ORDER_MARK: Final = "\ufeff"


def read_secret_file(path: Path) -> Secret:
    """The file's text without a byte order mark and without its last line break.

    Raises ConfigError(secret_file) if it cannot be read, holds nothing (an empty secret
    would let everybody in), or holds what no secret has: another line break, NUL.
    """
    try:
        raw = read_regular(path, _BYTES)
    except (OSError, ValueError) as exc:
        raise _refused(path, why_unreadable(exc)) from exc
    if len(raw) > _BYTES:
        raise _refused(path, "is larger than 64 KiB")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        # `from None`: the cause quotes the file.
        raise _refused(path, "is not UTF-8 text") from None
    secret = text.removeprefix(_BYTE_ORDER_MARK).removesuffix("\n").removesuffix("\r")
    if not secret.strip():
        raise _refused(path, "is empty")
    if fault := _control_character(secret):
        raise _refused(path, fault)
    return Secret(secret)


def _control_character(secret: str) -> str:
    """What no header and no database takes, "" for nothing; said without the secret."""
    if "\n" in secret or "\r" in secret:
        return "holds more than one line: a secret is one line"
    found = next((c for c in secret if unicodedata.category(c) == "Cc"), None)
    if found is None:
        return ""
    return f"holds a control character (U+{ord(found):04X}), which no secret may have"


def _refused(path: Path, why: str) -> ConfigError:
    return ConfigError(f"{path} {why}", code="secret_file")


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


FileState: TypeAlias = tuple[str, int, int, int]
"""Its path, time of change, number of bytes and inode; 0 if absent."""


def file_state(path: str | Path) -> FileState:
    """A value that changes whenever the file does, or what a link on its way leads to:
    Kubernetes replaces a mounted secret by a link to another folder."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return str(path), 0, 0, 0
    # st_mtime would not tell that a file which nobody could read now may be read.
    return str(path), found.st_ctime_ns, found.st_size, found.st_ino


class SeenFiles(Struct, frozen=True):
    """Files as they were at one moment."""

    states: tuple[FileState, ...] = ()

    @classmethod
    def of(cls, paths: Iterable[Path]) -> "SeenFiles":
        """As they are now."""
        return cls(tuple(map(file_state, paths)))

    def again(self) -> "SeenFiles":
        """The same files as they are now."""
        return SeenFiles(tuple(file_state(path) for path, *_ in self.states))

    def have_changed(self) -> bool:
        """Whether one is another now. One that is not there is not: who replaces a file
        may do so in two steps."""
        return any(
            now != then and any(now[1:])
            for now, then in zip(self.again().states, self.states, strict=True)
        )


DEFAULT_FILES: Final = ("weighbridge.yaml", "/etc/weighbridge/weighbridge.yaml")


def find_config_file(path: str | None, environ: Mapping[str, str]) -> str | None:
    """The file to read: `--config`, WEIGHBRIDGE_CONFIG, or the first of the usual
    ones that is there. None for no file."""
    wanted = path or environ.get("WEIGHBRIDGE_CONFIG")
    if wanted:
        return wanted
    return next((name for name in DEFAULT_FILES if Path(name).exists()), None)
