"""The types of what channels and routes are made of; their addresses are whole URLs,
whose path or query often is the secret."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from weighbridge.config.policies.policy_settings import NAME_CHARACTERS
from weighbridge.config.value.written_address import is_literal, is_loopback
from weighbridge.domain.message.grouping import GROUP_BY, GroupBy
from weighbridge.domain.policy.policy import Severity
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import parse_duration, written_duration
from weighbridge.errors import UsageError

DAY_S: Final = 24 * 3600


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


_NOT_IN_A_URL: Final = re.compile(r"[^\x21-\x7e]|[\\\"<>^`{|}]")
_HOST: Final = re.compile(r"[A-Za-z0-9_.-]{1,253}", re.ASCII)
URL_CHARACTERS: Final = 4_096
# The same as net.guard's private ones, which decides whatever is believed here.
_PRIVATE: Final = tuple(
    map(
        ipaddress.ip_network,
        ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
    )
)


def check_http_url(text: str, said: Mapping[str, object]) -> None:
    """Whether messages may go there over HTTP. Raises PydanticCustomError.

    said: the channel's other keys; those that are wrong themselves are left out
    """
    parts = _parts(text)
    is_near = is_near_host(parts.hostname or "")
    if is_near and said.get("allow_private") is False:
        words = "leads to a private address: set allow_private: true if that is meant"
        raise refused_secretly("address_refused", words)
    is_clear = parts.scheme == "http" and not is_near
    if is_clear and said.get("plain_http") is False:
        words = "is not encrypted: use https, or set plain_http: true"
        raise refused_secretly("insecure_transport", words)


def url_host(url: str) -> str:
    """`scheme://host[:port]` of a checked URL: what may be shown of it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def is_near_host(host: str) -> bool:
    """Whether a literal, or `localhost`, says that it is private or loopback. Names
    are not looked up: what they lead to may change."""
    if is_loopback(host):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return any((mapped or address) in network for network in _PRIVATE)


def refused_secretly(code: str, words: str) -> PydanticCustomError:
    """A fault that does not repeat the value."""
    return PydanticCustomError(code, "{message}", {"message": words, "shown": ""})


def _parts(text: str) -> SplitResult:
    if _NOT_IN_A_URL.search(text) or len(text) > URL_CHARACTERS:
        raise no_url("holds a space or another character that no URL has")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as exc:
        raise no_url("is no URL: write https://HOST/PATH") from exc
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise no_url("must start with https:// or http:// and name a host")
    if "@" in parts.netloc:
        raise no_url("must not hold a user or password")
    if not (_HOST.fullmatch(parts.hostname) or is_literal(parts.hostname)):
        raise no_url("names no valid host")
    if port == 0 or "#" in text:
        raise no_url("must not hold a fragment, nor port 0")
    return parts


def no_url(words: str) -> PydanticCustomError:
    """A fault of what is no address, in its words."""
    return refused_secretly("invalid_url", words)
