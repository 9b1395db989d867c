"""The types of what channels and routes are made of."""

import base64
import binascii
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from weighbridge.config.channels.channel_url import (
    check_channel_url,
    refused_secretly,
)
from weighbridge.config.file.secret_file import read_secret_file
from weighbridge.config.policies.policy_settings import NAME_CHARACTERS
from weighbridge.config.value.value_types import SecretFile, SecretText
from weighbridge.config.value.written_address import is_literal
from weighbridge.domain.message.routing import GROUP_BY, GroupBy
from weighbridge.domain.policy.policy import Severity
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.secret import Secret
from weighbridge.domain.text.units import parse_duration, written_duration
from weighbridge.errors import UsageError

RECIPIENTS: Final = 50
ALERTMANAGERS: Final = 16
DAY_S: Final = 24 * 3600
_SIGNING: Final = "whsec_"
_KEY_BYTES: Final = range(24, 65)  # standard-webhooks, "Signature scheme"
_ADDRESS: Final = (
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})"
)
# A name has none of RFC 5322's specials, which would need quotes.
_MAIL: Final = re.compile(rf"{_ADDRESS}|[^<>()\[\]\\,;:@\".]{{1,100}} <{_ADDRESS}>")
_SMTP_HOST: Final = re.compile(r"[A-Za-z0-9_.-]{1,253}", re.ASCII)


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


def _url(value: Secret, info: ValidationInfo) -> Secret:
    check_channel_url(value.reveal(), info.data)
    return value


def _url_file(path: Path, info: ValidationInfo) -> Path:
    # A fault of the text is told of the key, so its path is shown and nothing else.
    check_channel_url(read_secret_file(path).reveal(), info.data)
    return path


def _listed_url(value: object, info: ValidationInfo) -> str:
    if not isinstance(value, str):
        raise refused_secretly("invalid_value", "must be a text: put it in quotes")
    if "?" in value:
        raise refused_secretly("invalid_url", "must end before the query")
    return check_channel_url(value, info.data).rstrip("/")


def _signing(value: Secret) -> Secret:
    try:
        signing_key(value)
    except ValueError as exc:
        raise _no_signing_secret() from exc
    return value


def _signing_file(path: Path) -> Path:
    try:
        signing_key(read_secret_file(path))
    except ValueError as exc:
        raise _no_signing_secret() from exc
    return path


def _no_signing_secret() -> PydanticCustomError:
    words = "must be whsec_ and 24 to 64 bytes in base64: openssl rand -base64 32"
    return refused_secretly("invalid_secret", words)


def _smtp_host(value: object) -> str:
    text = value if isinstance(value, str) else ""
    if not _SMTP_HOST.fullmatch(text) and not is_literal(text):
        raise PydanticCustomError("invalid_host", "must be a host, without its port")
    return text.lower()


def _mail_address(value: object) -> str:
    """RFC 5322 3.4, in ASCII but for the name: no line of a header can be ended."""
    text = value if isinstance(value, str) else ""
    if not _MAIL.fullmatch(text) or printable(text) != text:
        raise PydanticCustomError(
            "invalid_mail_address", "must be ops@example.org or Name <ops@example.org>"
        )
    return text


def _label_pattern(value: object) -> str:
    text = value if isinstance(value, str) else ""
    if not text or text != printable(text.strip()) or len(text) > NAME_CHARACTERS:
        raise PydanticCustomError(
            "bad_pattern",
            "must be 1 to {most} printable characters; * stands for any text",
            {"most": NAME_CHARACTERS},
        )
    return text


def _none(value: object) -> None:
    if value is not None:
        raise PydanticCustomError(
            "invalid_value", "must be null: proxies are not known to this version"
        )


def _one_or_more(value: object) -> object:
    """`critical` is `[critical]`; a list becomes what pydantic takes from Python."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _between(least_s: int, most_s: int) -> Callable[[object, ValidationInfo], int]:
    """A check: a duration within bounds, in seconds."""

    def check(value: object, info: ValidationInfo) -> int:
        if info.mode == "python" and type(value) is int:
            return value
        try:
            seconds = parse_duration(value) if isinstance(value, str) else -1
        except UsageError:
            seconds = -1
        if not least_s <= seconds <= most_s:
            raise PydanticCustomError(
                "invalid_interval",
                "must be a duration from {least} to {most}",
                {"least": written_duration(least_s), "most": written_duration(most_s)},
            )
        return seconds

    return check


ChannelURL = Annotated[SecretText, AfterValidator(_url)]
ChannelURLFile = Annotated[SecretFile, AfterValidator(_url_file)]
ListedURL = Annotated[str, PlainValidator(_listed_url)]
SigningSecret = Annotated[SecretText, AfterValidator(_signing)]
SigningSecretFile = Annotated[SecretFile, AfterValidator(_signing_file)]
SMTPHost = Annotated[str, PlainValidator(_smtp_host)]
MailAddress = Annotated[str, PlainValidator(_mail_address)]
LabelPattern = Annotated[str, PlainValidator(_label_pattern)]
NoProxy = Annotated[None, PlainValidator(_none)]
Severities = Annotated[
    tuple[Severity, ...], Field(max_length=3), BeforeValidator(_one_or_more)
]
GroupKeys = Annotated[tuple[GroupBy, ...], Field(max_length=len(GROUP_BY))]
GroupWait = Annotated[
    int, PlainValidator(_between(0, DAY_S)), PlainSerializer(written_duration)
]
GroupInterval = Annotated[
    int, PlainValidator(_between(1, 7 * DAY_S)), PlainSerializer(written_duration)
]
Repeat = Annotated[
    int, PlainValidator(_between(3600, 366 * DAY_S)), PlainSerializer(written_duration)
]
