"""The key file of a service account, as Google writes it: JSON on many lines."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from weighbridge.config.file.regular_file import read_regular, why_unreadable
from weighbridge.domain.text.printable import Secret
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import ConfigError, DocumentError
from weighbridge.registry.login.credentials import Credential

KEY_USER: Final = "_json_key"
"""The user name by which Google's registries take a key file for the password."""
_BYTES: Final = 64 * 1024


class ServiceKey(Struct, frozen=True):
    """A key of a service account.

    path:        where it was read, for messages
    text:        all of it, on one line
    email:       whose it is
    key_id:      which of that account's keys
    private_key: PEM
    """

    path: Path
    text: Secret
    email: str
    key_id: str
    private_key: Secret

    def credential(self) -> Credential:
        """What is shown to the registry's token server."""
        return Credential(KEY_USER, self.text)


def read_key_file(path: Path) -> ServiceKey:
    """Raises ConfigError(secret_file), which says nothing of what is in it."""
    try:
        raw = read_regular(path, _BYTES)
    except (OSError, ValueError) as exc:
        raise refused_key(path, why_unreadable(exc)) from exc
    if len(raw) > _BYTES:
        raise refused_key(path, "is larger than 64 KiB")
    try:
        key = parse_json(raw)
    except DocumentError:
        # `from None`: the cause may quote the file.
        raise refused_key(path, "is not the JSON of a key") from None
    if not isinstance(key, dict) or key.get("type") != "service_account":
        raise refused_key(path, "is not the key of a service account")
    email = _member(key, "client_email", path)
    key_id = _member(key, "private_key_id", path)
    private_key = key.get("private_key")
    if not isinstance(private_key, str) or not private_key:
        raise refused_key(path, "holds no key (private_key)")
    # Line ends stand between members only: inside a string they are escaped.
    text = " ".join(line.strip() for line in raw.decode().splitlines())
    return ServiceKey(path, Secret(text), email, key_id, Secret(private_key))


def _member(key: Mapping[str, object], name: str, path: Path) -> str:
    value = key.get(name)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise refused_key(path, f"does not say whose key it is ({name})")
    return value


def refused_key(path: Path, why: str) -> ConfigError:
    """The error for what is no key, or none that is of use."""
    return ConfigError(f"{path} {why}", code="secret_file")
