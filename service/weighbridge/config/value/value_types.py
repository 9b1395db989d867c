"""The types of configuration values: each says what it takes and reads it.

Every refusal is a `PydanticCustomError` whose type is our code and whose message
says what would be right. A value of the right Python type passes as it is, so that
settings can also be made in code.
"""

import re
from decimal import Decimal, InvalidOperation
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Final, TypeGuard
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from weighbridge.config.file.regular_file import (
    read_regular,
    read_secret_file,
    why_unreadable,
)
from weighbridge.config.value.written_address import (
    check_prefixed_url,
    check_url,
    split_bind,
)
from weighbridge.domain import limits
from weighbridge.domain.access.roles import Network, parse_network
from weighbridge.domain.access.sign_in import checked_header
from weighbridge.domain.base.base_repositories import parse_base_repository
from weighbridge.domain.image.platform import Platform, parse_platform
from weighbridge.domain.text.printable import Secret
from weighbridge.domain.text.units import parse_duration, written_duration
from weighbridge.errors import ConfigError, UsageError, WeighbridgeError


class StrictModel(BaseModel):
    """Strict: no unknown key, no guessed type; inputs stay out of error texts."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, hide_input_in_errors=True
    )


INTERVAL_MIN_S: Final = 1
INTERVAL_MAX_S: Final = 366 * 24 * 3600
RETENTION_MIN_S: Final = 24 * 3600
RETENTION_MAX_S: Final = 3660 * 24 * 3600
PATTERNS: Final = 1_000
BASES: Final = 1_000

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", re.ASCII)
_HOST: Final = re.compile(
    r"[A-Za-z0-9_.-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\]", re.ASCII
)
_REDIS: Final = re.compile(r"rediss?://[^\s/?#;]+(/[0-9]{1,3})?(\?[^\s#;]*)?", re.ASCII)
_SENTINEL: Final = re.compile(r"(rediss?\+)?sentinels?:|.*;[a-z+]+://", re.ASCII)
_REPOSITORY_PATTERN: Final = re.compile(r"[a-z0-9._/*-]+", re.ASCII)
_TAG_PATTERN: Final = re.compile(r"[A-Za-z0-9_.*-]+", re.ASCII)


def text_of(value: object) -> str:
    if isinstance(value, str):
        return value
    raise PydanticCustomError("invalid_value", "must be a text: put it in quotes")


def _interval(value: object, info: ValidationInfo) -> int:
    if _is_made(value, info):
        return value
    seconds = _seconds(value)
    if not INTERVAL_MIN_S <= seconds <= INTERVAL_MAX_S:
        raise PydanticCustomError("invalid_interval", "must be from 1s to 366d")
    return seconds


def _retention(value: object, info: ValidationInfo) -> int | None:
    if value is None or _is_made(value, info):
        return value
    seconds = _seconds(value)
    if not RETENTION_MIN_S <= seconds <= RETENTION_MAX_S:
        raise PydanticCustomError(
            "invalid_interval", "must be from 1d to 3660d, or null to keep everything"
        )
    return seconds


def _is_made(value: object, info: ValidationInfo) -> TypeGuard[int]:
    """Whether it is a number of seconds from our own code."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return is_number and info.mode == "python"


def _seconds(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        raise PydanticCustomError(
            "invalid_interval", "needs a unit: 90s, 15m, 1h or 1d"
        )
    try:
        return parse_duration(text_of(value))
    except WeighbridgeError as exc:
        raise PydanticCustomError(
            "invalid_interval", "is no duration: write 90s, 15m, 1h or 1d"
        ) from exc


def _secret(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    text = text_of(value)
    if not text.strip():
        raise PydanticCustomError("empty_secret", "must not be empty")
    return Secret(text)


def _database_url(value: object) -> Secret:
    secret = _secret(value)
    scheme, separator, _ = secret.reveal().partition(":")
    if not separator or not re.fullmatch(r"[a-z][a-z0-9]*(\+[a-z0-9_]+)?", scheme):
        raise PydanticCustomError(
            "invalid_database_url", "is no URL: write sqlite:///FILE"
        )
    return secret


def _redis_url(value: object) -> Secret:
    secret = _secret(value)
    if _SENTINEL.match(secret.reveal()):
        raise PydanticCustomError(
            "sentinel_url",
            "names Redis Sentinels, which are not supported: name one address that"
            " always leads to the master",
        )
    if not _REDIS.fullmatch(secret.reveal()) or not _has_place(secret.reveal()):
        raise PydanticCustomError(
            "invalid_redis_url", "is no URL: write redis://HOST:6379/0 or rediss://..."
        )
    return secret


def _has_place(url: str) -> bool:
    """Whether host and port are ones."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _username(value: object) -> str:
    """RFC 7617 2: the first colon would end it, and controls are forbidden."""
    text = text_of(value)
    if not text or ":" in text or not text.isprintable():
        raise PydanticCustomError(
            "invalid_credential",
            "must not be empty, and hold neither a colon nor control characters",
        )
    return text


def _file(value: object, info: ValidationInfo) -> Path:
    """The path of a file; a relative one starts at the configuration file."""
    if isinstance(value, Path):
        return value
    text = text_of(value)
    folder = info.context.get("folder", Path()) if info.context else Path()
    path = Path(folder, text)
    if not text or "\0" in text:
        raise PydanticCustomError("invalid_file", "must be the path of a file")
    return path.absolute()


def _readable_file(value: object, info: ValidationInfo) -> Path:
    path = _file(value, info)
    try:
        read_regular(path, 0)
    except OSError as exc:
        raise PydanticCustomError(
            "unreadable_file", "{why}", {"why": why_unreadable(exc)}
        ) from exc
    return path


def _secret_file(value: object, info: ValidationInfo) -> Path:
    path = _file(value, info)
    try:
        read_secret_file(path)
    except ConfigError as exc:
        raise PydanticCustomError("secret_file", "{why}", {"why": exc.message}) from exc
    return path


def _name(value: object) -> str:
    name = text_of(value)
    if name.lower() == "localhost" or not _NAME.fullmatch(name):
        raise PydanticCustomError(
            "invalid_name",
            "must be letters, digits, - and _ (no dot or colon, and not localhost)",
        )
    return name


def _url(value: object) -> str:
    return check_url(text_of(value))


def _prefixed_url(value: object) -> str:
    return check_prefixed_url(text_of(value))


def _bind(value: object) -> str:
    text = text_of(value)
    split_bind(text)
    return text


def _host(value: object) -> str:
    host = text_of(value)
    if not _HOST.fullmatch(host):
        raise PydanticCustomError(
            "invalid_host", "must be host or host:port, without a scheme or a path"
        )
    return host.lower().strip("[]")


def _base(value: object) -> str:
    """The name of a repository, as people write it in `FROM`, without a tag."""
    text = text_of(value)
    try:
        parse_base_repository(text, None)
    except WeighbridgeError as exc:
        why = exc.message.rpartition(": ")[2]
        raise PydanticCustomError(
            "invalid_base",
            "is no repository's name, such as python or quay.io/acme/base: {why}",
            {"why": why},
        ) from exc
    return text


def _header_name(value: object) -> str:
    try:
        return checked_header(text_of(value))
    except UsageError as exc:
        raise PydanticCustomError(exc.code, "{m}", {"m": exc.message}) from exc


def _group(value: object) -> str:
    text = text_of(value)
    if not text.strip() or text != text.strip() or "," in text:
        raise PydanticCustomError(
            "invalid_auth_proxy", "must be the name of a group, which has no comma"
        )
    return text


def _network(value: object) -> Network:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    try:
        return parse_network(text_of(value))
    except WeighbridgeError as exc:
        raise PydanticCustomError(exc.code, "{why}", {"why": exc.message}) from exc


def _platform(value: object) -> Platform:
    if isinstance(value, Platform):
        return value
    try:
        return parse_platform(text_of(value))
    except WeighbridgeError as exc:
        raise PydanticCustomError(
            exc.code, "must be os/architecture[/variant], such as linux/arm64"
        ) from exc


_MOST: Final = Decimal(1_000_000)
_PLACES: Final = 9
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)


def _price(value: object) -> Decimal | None:
    """An amount of money, exactly as it is written."""
    if value is None or isinstance(value, Decimal):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        # Of a float the shortest text that means it, which is what was written.
        amount = Decimal(str(value)) if is_number or isinstance(value, str) else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite():
        raise PydanticCustomError("invalid_price", "must be a number, such as 0.023")
    places = amount.as_tuple().exponent
    has_room = isinstance(places, int) and places >= -_PLACES
    if not 0 <= amount <= _MOST or not has_room:
        raise PydanticCustomError(
            "invalid_price",
            "must be from 0 to 1,000,000, with nine decimal places at most",
        )
    return amount


def _currency(value: object) -> str | None:
    if value is None:
        return None
    currency = text_of(value)
    if not _CURRENCY.fullmatch(currency):
        raise PydanticCustomError(
            "invalid_currency", "must be three capital letters, such as EUR"
        )
    return currency


def _repository_pattern(value: object) -> str:
    return _pattern(text_of(value), _REPOSITORY_PATTERN)


def tag_pattern(value: object) -> str:
    """A tag, in which * stands for any text. Raises PydanticCustomError."""
    return _pattern(text_of(value), _TAG_PATTERN)


def _pattern(text: str, allowed: re.Pattern[str]) -> str:
    # No name is longer, so no longer pattern can be meant.
    if len(text) > limits.REPOSITORY_NAME_CHARACTERS:
        raise PydanticCustomError("bad_pattern", "is longer than any name can be")
    if not allowed.fullmatch(text):
        raise PydanticCustomError(
            "bad_pattern",
            "is no pattern: a name, in which * stands for any text (no expressions)",
        )
    return text


Interval = Annotated[int, PlainValidator(_interval), PlainSerializer(written_duration)]
KeptFor = Annotated[
    int | None,
    PlainValidator(_retention),
    PlainSerializer(lambda value: None if value is None else written_duration(value)),
]
Username = Annotated[str, PlainValidator(_username)]
Price = Annotated[
    Decimal | None,
    PlainValidator(_price),
    PlainSerializer(lambda value: None if value is None else f"{value:f}"),
]
Currency = Annotated[str | None, PlainValidator(_currency)]
SecretText = Annotated[Secret, PlainValidator(_secret)]
DatabaseURL = Annotated[Secret, PlainValidator(_database_url)]
RedisURL = Annotated[Secret, PlainValidator(_redis_url)]
FilePath = Annotated[Path, PlainValidator(_file)]
ReadableFile = Annotated[Path, PlainValidator(_readable_file)]
SecretFile = Annotated[Path, PlainValidator(_secret_file)]
RegistryName = Annotated[str, PlainValidator(_name)]
RegistryURL = Annotated[str, PlainValidator(_url)]
PrefixedURL = Annotated[str, PlainValidator(_prefixed_url)]
Bind = Annotated[str, PlainValidator(_bind)]
Host = Annotated[str, PlainValidator(_host)]
Hosts = tuple[Host, ...]
BaseNames = Annotated[
    tuple[Annotated[str, PlainValidator(_base)], ...], Field(max_length=BASES)
]
Networks = Annotated[
    tuple[Annotated[Network, PlainValidator(_network), PlainSerializer(str)], ...],
    Field(max_length=PATTERNS),
]
HeaderName = Annotated[str, PlainValidator(_header_name)]
GroupNames = Annotated[
    tuple[Annotated[str, PlainValidator(_group)], ...], Field(max_length=PATTERNS)
]
Platforms = Annotated[
    tuple[Annotated[Platform, PlainValidator(_platform), PlainSerializer(str)], ...],
    Field(min_length=1),
]
RepositoryPattern = Annotated[str, PlainValidator(_repository_pattern)]
TagPattern = Annotated[str, PlainValidator(tag_pattern)]
