"""The key file of a service account, as Google writes it: JSON on many lines."""

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

    text:  all of it, on one line
    email: whose it is
    """

    text: Secret
    email: str

    def credential(self) -> Credential:
        """What is shown to the registry's token server."""
        return Credential(KEY_USER, self.text)


def read_key_file(path: Path) -> ServiceKey:
    """Raises ConfigError(secret_file), which says nothing of what is in it."""
    try:
        raw = read_regular(path, _BYTES)
    except (OSError, ValueError) as exc:
        raise _refused(path, why_unreadable(exc)) from exc
    if len(raw) > _BYTES:
        raise _refused(path, "is larger than 64 KiB")
    try:
        key = parse_json(raw)
    except DocumentError:
        # `from None`: the cause may quote the file.
        raise _refused(path, "is not the JSON of a key") from None
    if not isinstance(key, dict) or key.get("type") != "service_account":
        raise _refused(path, "is not the key of a service account")
    email = key.get("client_email")
    if not isinstance(email, str) or not email.isprintable():
        raise _refused(path, "does not say whose key it is (client_email)")
    # Line ends stand between members only: inside a string they are escaped.
    text = " ".join(line.strip() for line in raw.decode().splitlines())
    return ServiceKey(Secret(text), email)


def _refused(path: Path, why: str) -> ConfigError:
    return ConfigError(f"{path} {why}", code="secret_file")
