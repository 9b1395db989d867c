"""Where messages go: `channels`, and which of them are told of what: `routes`."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from weighbridge.config.channels.channel_clashes import channel_clashes, smtp_clash
from weighbridge.config.channels.channel_types import (
    ALERTMANAGERS,
    RECIPIENTS,
    ChannelURL,
    ChannelURLFile,
    GroupInterval,
    GroupKeys,
    GroupWait,
    LabelPattern,
    ListedURL,
    MailAddress,
    NoProxy,
    Repeat,
    Severities,
    SigningSecret,
    SigningSecretFile,
    SMTPHost,
    signing_key,
)
from weighbridge.config.channels.channel_url import check_channel_url, url_host
from weighbridge.config.file.secret_file import read_secret_file
from weighbridge.config.policies.policy_settings import RegistryPattern
from weighbridge.config.value.clashes import without
from weighbridge.config.value.keys import StrictModel
from weighbridge.config.value.value_types import (
    PATTERNS,
    ReadableFile,
    RegistryName,
    RepositoryPattern,
    SecretFile,
    SecretText,
    Username,
)
from weighbridge.domain.message.routing import (
    DEFAULT_GROUP_BY,
    DEFAULT_GROUP_INTERVAL_S,
    DEFAULT_GROUP_WAIT_S,
    DEFAULT_REPEAT_S,
    Route,
    RouteMatch,
)
from weighbridge.domain.text.secret import Secret
from weighbridge.errors import ConfigError

ChannelKind: TypeAlias = Literal[
    "webhook", "slack", "teams", "email", "alertmanager", "apprise"
]
Security: TypeAlias = Literal["starttls", "tls", "none"]

CHANNELS: Final = 1_000
_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}


class SMTPSettings(StrictModel):
    """The mail server that takes messages."""

    host: SMTPHost
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    security: Security = "starttls"
    username: Username | None = None
    password: SecretText | None = None
    password_file: SecretFile | None = None

    @model_validator(mode="after")
    def _signs_in_one_way(self) -> Self:
        given = frozenset(key for key, value in self if value is not None)
        return without(self, smtp_clash(given, self.security))

    @property
    def decided_port(self) -> int:
        return self.port or _PORTS[self.security]

    def current_password(self) -> Secret | None:
        """The password as it is now. Raises ConfigError(secret_file)."""
        if self.password_file is not None:
            return read_secret_file(self.password_file)
        return self.password


class ChannelSettings(StrictModel):
    """Somewhere that messages go.

    allow_private: whether private and loopback addresses may be reached
    plain_http:    whether messages may leave this network in the clear
    urls:          of all Alertmanagers; each is told everything
    from_:         the key `from`
    """

    model_config = ConfigDict(serialize_by_alias=True)

    name: RegistryName
    kind: ChannelKind
    # Before the addresses, which are checked against them.
    allow_private: bool = False
    plain_http: bool = False
    url: ChannelURL | None = None
    url_file: ChannelURLFile | None = None
    urls: Annotated[tuple[ListedURL, ...], Field(max_length=ALERTMANAGERS)] = ()
    secret: SigningSecret | None = None
    secret_file: SigningSecretFile | None = None
    smtp: SMTPSettings | None = None
    from_: Annotated[MailAddress | None, Field(alias="from")] = None
    to: Annotated[tuple[MailAddress, ...], Field(max_length=RECIPIENTS)] = ()
    ca_file: ReadableFile | None = None
    proxy: NoProxy = None

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        keys = {
            key.rstrip("_") for key, value in self if value not in (None, False, ())
        }
        return without(self, next(channel_clashes(self.kind, keys), None))

    @property
    def takes_messages(self) -> bool:
        """Whether it is told of each violation once, by way of the outbox. An
        Alertmanager is told of all that are open, again and again."""
        return self.kind != "alertmanager"

    @property
    def is_signed(self) -> bool | None:
        """Whether receivers can check who has sent a message; None: not by a secret
        of this channel."""
        if self.kind != "webhook":
            return None
        return self.secret is not None or self.secret_file is not None

    @property
    def place(self) -> str:
        """Where it leads, without what may be secret: of a URL its host at most."""
        if self.smtp is not None:
            return f"{self.smtp.host}:{self.smtp.decided_port}"
        if self.urls:
            return ", ".join(map(url_host, self.urls))
        try:
            url = self.current_url().reveal()
        except ConfigError:
            return f"unknown: {self.url_file} cannot be used now"
        # What follows may be the token itself in a URL of apprise.
        return (
            f"{url.partition(':')[0]}://" if self.kind == "apprise" else url_host(url)
        )

    def current_url(self) -> Secret:
        """The address as it is now: its file is read again, because it may have been
        replaced, and checked as it was at the start. Raises ConfigError(secret_file,
        and whatever the check says)."""
        if self.url_file is not None:
            url = read_secret_file(self.url_file)
            try:
                check_channel_url(url.reveal(), dict(self))
            except PydanticCustomError as exc:
                # Not as its cause: nothing of the address is to be in a traceback.
                words = f"{self.url_file} {exc.message()}"
                raise ConfigError(words, code=exc.type) from None
            return url
        if self.url is not None:
            return self.url
        raise ConfigError(f"channel {self.name} has no url", code="missing_key")

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
