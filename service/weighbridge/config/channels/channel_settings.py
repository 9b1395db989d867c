"""Where messages go: `channels`, and which of them are told of what: `routes`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Annotated, ClassVar, Final

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from weighbridge.config.channels.channel_url import (
    GroupInterval,
    GroupKeys,
    GroupWait,
    LabelPattern,
    NoProxy,
    Repeat,
    Severities,
    check_http_url,
    url_host,
)
from weighbridge.config.file.regular_file import read_secret_file
from weighbridge.config.policies.policy_settings import RegistryPattern
from weighbridge.config.value.clashes import Clash
from weighbridge.config.value.value_types import (
    PATTERNS,
    ReadableFile,
    RegistryName,
    RepositoryPattern,
    SecretFile,
    SecretText,
    StrictModel,
)
from weighbridge.config.yaml.reader import Path, Plain
from weighbridge.domain.message.grouping import (
    DEFAULT_GROUP_BY,
    DEFAULT_GROUP_INTERVAL_S,
    DEFAULT_GROUP_WAIT_S,
    DEFAULT_REPEAT_S,
    Route,
    RouteMatch,
)
from weighbridge.domain.text.secret import Secret
from weighbridge.errors import ConfigError

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
    proxy: NoProxy = None


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
