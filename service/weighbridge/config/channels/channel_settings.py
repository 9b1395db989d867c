"""Where messages go: `channels`, and which of them are told of what: `routes`.

Addresses of channels are whole URLs, whose path or query often is the secret.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Annotated, ClassVar, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from weighbridge.config.file.regular_file import read_secret_file
from weighbridge.config.policies.policy_files import NAME_CHARACTERS, RegistryPattern
from weighbridge.config.value.clashes import Clash
from weighbridge.config.value.proxy_settings import OptionalProxy
from weighbridge.config.value.value_types import (
    PATTERNS,
    ReadableFile,
    RegistryName,
    RepositoryPattern,
    SecretFile,
    SecretText,
    StrictModel,
)
from weighbridge.config.value.written_address import find_literal, is_host, is_loopback
from weighbridge.config.yaml.reader import Path, Plain
from weighbridge.domain.message.grouping import (
    DEFAULT_GROUP_BY,
    DEFAULT_GROUP_INTERVAL_S,
    DEFAULT_GROUP_WAIT_S,
    DEFAULT_REPEAT_S,
    GROUP_BY,
    GroupBy,
    Route,
    RouteMatch,
)
from weighbridge.domain.policy.policy import Severity
from weighbridge.domain.text.printable import Secret, printable
from weighbridge.domain.text.units import parse_duration, written_duration
from weighbridge.errors import ConfigError, UsageError

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
    is_beyond = said.get("proxy") is not None or not is_near
    is_clear = parts.scheme == "http" and is_beyond
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
    address = find_literal(host)
    is_private = address is not None and any(address in each for each in _PRIVATE)
    return is_private or is_loopback(host)


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
    if not is_host(parts.hostname):
        raise no_url("names no valid host")
    if port == 0 or "#" in text:
        raise no_url("must not hold a fragment, nor port 0")
    return parts


def no_url(words: str) -> PydanticCustomError:
    """A fault of what is no address, in its words."""
    return refused_secretly("invalid_url", words)


CHANNELS: Final = 1_000


class ChannelSettings(StrictModel):
    """Somewhere that messages go: the keys of every channel. Each kind has a model of
    its own, made from this one, beside its notifier.

    takes_messages: whether it is told of each violation once, by way of the outbox;
                    else it is told of all that are open, again and again
    """

    takes_messages: ClassVar[bool] = True

    name: RegistryName
    kind: str

    @property
    def is_signed(self) -> bool | None:
        """Whether receivers can check who has sent a message; None: not by a secret
        of this channel."""
        return None

    @property
    def place(self) -> str:
        """Where it leads, without what may be secret: of a URL its host at most."""
        raise NotImplementedError

    @classmethod
    def check_url(cls, text: str, said: Mapping[str, object]) -> None:
        """Whether messages of this kind may go there. Raises PydanticCustomError.

        said: the channel's other keys; those that are wrong themselves are left out
        """
        check_http_url(text, said)

    @classmethod
    def clashes_within(cls, entry: Mapping[str, Plain]) -> Iterator[tuple[Path, Clash]]:
        """Every clash between keys of the mappings in what is written of a channel, of
        whatever kind, with the path of its mapping."""
        yield from ()


class ReachSettings(ChannelSettings):
    """The keys of a channel that opens connections itself.

    allow_private: whether private and loopback addresses may be reached
    """

    allow_private: bool = False
    ca_file: ReadableFile | None = None


class HTTPSettings(ReachSettings):
    """The keys of a channel over HTTP.

    plain_http: whether messages may leave this network in the clear
    """

    plain_http: bool = False
    proxy: OptionalProxy = None


class URLSettings(ChannelSettings):
    """The keys of a channel that has one address, which often is its secret."""

    url: SecretText | None = None
    url_file: SecretFile | None = None

    @field_validator("url", "url_file")
    @classmethod
    def _leads_somewhere(
        cls, value: Secret | FilePath | None, info: ValidationInfo
    ) -> Secret | FilePath | None:
        return check_address(cls, value, info)

    @property
    def place(self) -> str:
        try:
            return self.shown_place(self.current_url().reveal())
        except ConfigError:
            return f"unknown: {self.url_file} cannot be used now"

    @classmethod
    def shown_place(cls, url: str) -> str:
        """What may be shown of an address."""
        return url_host(url)

    def current_url(self) -> Secret:
        """The address as it is now: its file is read again, because it may have been
        replaced, and checked as it was at the start. Raises ConfigError(secret_file,
        and whatever the check says)."""
        if self.url_file is not None:
            url = read_secret_file(self.url_file)
            try:
                self.check_url(url.reveal(), dict(self))
            except PydanticCustomError as exc:
                # Not as its cause: nothing of the address is to be in a traceback.
                words = f"{self.url_file} {exc.message()}"
                raise ConfigError(words, code=exc.type) from None
            return url
        if self.url is not None:
            return self.url
        raise ConfigError(f"channel {self.name} has no url", code="missing_key")


class PostSettings(URLSettings, HTTPSettings):
    """The keys of a channel that takes messages at one address over HTTP."""


def check_address(
    model: type[ChannelSettings],
    value: Secret | FilePath | None,
    info: ValidationInfo,
) -> Secret | FilePath | None:
    """The address, or the file that holds it, if this kind of channel may lead there;
    None is no address. A fault of a file's text is told of the key, so its path is
    shown and nothing else."""
    if value is None:
        return None
    text = read_secret_file(value) if isinstance(value, FilePath) else value
    model.check_url(text.reveal(), info.data)
    return value


class RouteMatchSettings(StrictModel):
    """Which violations a route takes; `*` matches across `/`."""

    severity: Severities = ()
    team: LabelPattern = "*"
    registry: RegistryPattern = "*"
    repository: RepositoryPattern = "*"
    policy: LabelPattern = "*"


class RouteSettings(StrictModel):
    """What goes to a channel, and how it is gathered."""

    match: RouteMatchSettings = RouteMatchSettings()
    channel: RegistryName
    group_by: GroupKeys = DEFAULT_GROUP_BY
    group_wait: GroupWait = DEFAULT_GROUP_WAIT_S
    group_interval: GroupInterval = DEFAULT_GROUP_INTERVAL_S
    repeat: Repeat = DEFAULT_REPEAT_S

    @property
    def route(self) -> Route:
        match = RouteMatch(
            severities=self.match.severity,
            team=self.match.team,
            registry=self.match.registry,
            repository=self.match.repository,
            policy=self.match.policy,
        )
        return Route(
            channel=self.channel,
            match=match,
            group_by=self.group_by,
            group_wait_s=self.group_wait,
            group_interval_s=self.group_interval,
            repeat_s=self.repeat,
        )


Channels = Annotated[tuple[ChannelSettings, ...], Field(max_length=CHANNELS)]
Routes = Annotated[tuple[RouteSettings, ...], Field(max_length=PATTERNS)]


def routing_of(
    channels: Sequence[ChannelSettings], routes: Sequence[RouteSettings]
) -> tuple[Route, ...]:
    """All routes in their order; where none is written, every channel is told of
    everything."""
    if not routes:
        return tuple(Route(channel.name) for channel in channels)
    return tuple(route.route for route in routes)
