"""A webhook as a kind of channel: signed, where it has a secret."""

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from weighbridge.config.channels.channel_settings import PostSettings, refused_secretly
from weighbridge.config.file.regular_file import read_secret_file
from weighbridge.config.value.value_types import SecretFile, SecretText
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import ConfigError
from weighbridge.notify.channel_kind import channel_kind

if TYPE_CHECKING:
    from weighbridge.ports.protocols import Notifier

_SIGNING: Final = "whsec_"
_KEY_BYTES: Final = range(24, 65)  # standard-webhooks, "Signature scheme"


def signing_key(secret: Secret) -> bytes:
    """The key in a `whsec_` secret. Raises ValueError."""
    prefix, text = secret.reveal()[: len(_SIGNING)], secret.reveal()[len(_SIGNING) :]
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if prefix != _SIGNING or len(key) not in _KEY_BYTES:
        # Not from the decoder's error, which would show a part of the text.
        raise ValueError("no whsec_ secret of 24 to 64 bytes") from None
    return key


def _signing(value: Secret) -> Secret:
    try:
        signing_key(value)
    except ValueError as exc:
        raise _no_signing_secret() from exc
    return value


def _signing_file(path: Path) -> Path:
    _signing(read_secret_file(path))
    return path


def _no_signing_secret() -> PydanticCustomError:
    words = "must be whsec_ and 24 to 64 bytes in base64: openssl rand -base64 32"
    return refused_secretly("invalid_secret", words)


SigningSecret = Annotated[SecretText, AfterValidator(_signing)]
SigningSecretFile = Annotated[SecretFile, AfterValidator(_signing_file)]


class WebhookChannelSettings(PostSettings):
    """An entry of `channels` with `kind: webhook`."""

    secret: SigningSecret | None = None
    secret_file: SigningSecretFile | None = None

    @property
    def is_signed(self) -> bool:
        return self.secret is not None or self.secret_file is not None

    def current_key(self) -> bytes | None:
        """The key that messages are signed with as it is now, None for none. Raises
        ConfigError(secret_file, invalid_secret)."""
        secret = self.secret
        if self.secret_file is not None:
            secret = read_secret_file(self.secret_file)
        if secret is None:
            return None
        try:
            return signing_key(secret)
        except ValueError as exc:
            words = f"{self.secret_file} holds {exc}"
            raise ConfigError(words, code="invalid_secret") from None


def _open(channel: WebhookChannelSettings) -> "Notifier":
    # Late: who only reads the configuration sends nothing.
    from weighbridge.notify.channels.webhook.notifier import WebhookNotifier
    from weighbridge.notify.post import receiver_of

    return WebhookNotifier(receiver_of(channel), channel.current_key)


WEBHOOK: Final = channel_kind(WebhookChannelSettings, _open)
