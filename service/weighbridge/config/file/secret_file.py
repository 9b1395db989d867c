"""Reads the file that a `_file` key or a `_FILE` variable names."""

import unicodedata
from pathlib import Path
from typing import Final

from weighbridge.config.file.regular_file import read_regular, why_unreadable
from weighbridge.domain.text.secret import Secret
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
