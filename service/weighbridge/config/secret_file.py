"""Reads the file that a `_file` key or a `_FILE` variable names."""

import stat
from pathlib import Path
from typing import Final

from weighbridge.domain.secret import Secret
from weighbridge.errors import ConfigError

_BYTES: Final = 64 * 1024


def read_secret_file(path: Path) -> Secret:
    """The file's text without its last line break.

    Raises ConfigError(secret_file) if it cannot be read or holds nothing: an empty
    secret would let everybody in.
    """
    try:
        # A pipe or a device would block here or never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise _refused(path, "is not a regular file")
        with path.open("rb") as file:
            raw = file.read(_BYTES + 1)
        text = raw.decode()
    except UnicodeDecodeError as exc:
        raise _refused(path, "is not UTF-8 text") from exc
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or "no such path"
        raise _refused(path, f"cannot be read: {why}") from exc
    if len(raw) > _BYTES:
        raise _refused(path, "is larger than 64 KiB")
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret.strip():
        raise _refused(path, "is empty")
    return Secret(secret)


def _refused(path: Path, why: str) -> ConfigError:
    return ConfigError(f"{path} {why}", code="secret_file")
